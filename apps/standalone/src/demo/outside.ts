/** What a command left: its exit code and what it printed. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One message that the tap on the bus saw, in the order it passed. */
export interface TappedMessage {
  readonly exchange: string;
  readonly routingKey: string;
  /** The body's bytes, base64. */
  readonly body: string;
}

export type SqlRow = Readonly<Record<string, string | number | null>>;

/** Who speaks: an admin, a member of the same project, a member of another one. */
export type Speaker = 'admin' | 'member' | 'other';

/** What stands on the machine for one server: looked up on the disk and by the compute driver, never in the catalog. */
export interface ServerFacts {
  readonly serverId: string;
  readonly volumeId: string;
  readonly address: string;
  readonly port: number;
  readonly guestInfo: string;
  /** Whether the file that was put outside the volume, and the one in it, are still there. */
  readonly rootMarker: boolean;
  readonly volumeMarker: boolean;
}

export interface DatabaseLogin {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** The datastore that the instances of the walkthrough have. */
export interface AtHand {
  readonly datastore: string;
  readonly version: string;
  readonly versionId: string;
}

export const CONFIG_FILES = ['trove.conf', 'trove-taskmanager.conf', 'trove-conductor.conf'] as const;
export type ConfigFileName = (typeof CONFIG_FILES)[number];

/**
 * The only way by which the walkthrough acts and sees. Each answer is an artefact that anybody beside the control plane
 * can get: what a command printed, rows of the catalog, a file on the server's disk, bytes on the bus, what an ordinary
 * database client finds. Everything is JSON, so that a run can be recorded and looked at again.
 */
export interface Outside {
  atHand(): Promise<AtHand>;
  trove(speaker: Speaker, argv: readonly string[], input?: string): Promise<CommandResult>;
  manage(argv: readonly string[]): Promise<CommandResult>;
  /** Makes the catalog as Trove left it at its migration 40, with the rows of m2, m3 and m4. */
  makeOldCatalog(): Promise<void>;
  /** Puts the guest of one of those rows there by compute driver and agent alone. */
  placeLegacyGuest(name: string): Promise<void>;
  /** `clear`: `enable_secure_rpc_messaging = False` in the three files; `sealed`: those lines commented out. */
  startControlPlane(messaging: 'clear' | 'sealed'): Promise<string>;
  stopControlPlane(): Promise<void>;
  select(sql: string): Promise<readonly SqlRow[]>;
  columns(table: string): Promise<readonly { name: string; type: string }[]>;
  server(instanceId: string): Promise<ServerFacts>;
  /** Puts a file outside the volume and one inside it. */
  leaveMarkers(instanceId: string): Promise<void>;
  /** All messages since the bus was made. */
  tapped(): Promise<readonly TappedMessage[]>;
  /** The name of the database that this client is connected to, as the server says it. */
  connect(login: DatabaseLogin): Promise<string>;
  /** A service's configuration file as it stands. */
  configFile(name: ConfigFileName): Promise<string>;
  sleep(ms: number): Promise<void>;
}
