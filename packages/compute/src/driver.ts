/** A flavor as `GET /flavors` shows it: `ram` in MB, `disk` and `ephemeral` in GB. */
export interface Flavor {
  readonly id: string;
  readonly name: string;
  readonly ram: number;
  readonly vcpus: number;
  readonly disk: number;
  readonly ephemeral: number;
}

/** What a server can be made from. Local: a database server found on this machine. */
export interface Image {
  readonly id: string;
  readonly name: string;
  /** The datastore manager that runs on it: `mysql`, `mariadb`, `postgresql`. */
  readonly manager: string;
  readonly version: string;
}

export interface ServerAddress {
  readonly address: string;
  readonly type: 'private' | 'public';
  /** Where it is not the datastore's standard port. */
  readonly port?: number;
}

export type ServerStatus = 'BUILD' | 'ACTIVE' | 'SHUTDOWN' | 'ERROR';

export interface Server {
  readonly id: string;
  readonly clientToken: string;
  readonly status: ServerStatus;
  readonly host: string;
  readonly imageId: string;
  /** Of the flavor that it runs with now. */
  readonly flavorId: string;
  readonly volumeId: string | null;
  readonly addresses: readonly ServerAddress[];
  /** The token of the `rebuild` that made what runs now; the create's token before any. */
  readonly generation: string;
}

/** What runs servers, as an operator sees it; memory in MB, where the driver knows it. */
export interface HostInfo {
  readonly name: string;
  readonly servers: number;
  readonly totalRam?: number;
  readonly usedRam?: number;
}

/** Files written on the server before its agent starts: absolute-looking names (`/etc/trove/conf.d/guest_info.conf`) to text. */
export type InjectedFiles = Readonly<Record<string, string>>;

export interface CreateServer {
  /** The same token never makes two servers. */
  readonly clientToken: string;
  readonly deploymentId: string;
  readonly instanceId: string;
  readonly projectId: string;
  readonly name: string;
  readonly flavor: Flavor;
  readonly imageId: string;
  readonly volumeId: string | null;
  readonly availabilityZone?: string;
  readonly files: InjectedFiles;
}

export interface RebuildServer {
  readonly clientToken: string;
  readonly serverId: string;
  readonly imageId: string;
  readonly files: InjectedFiles;
}

export interface ResizeServer {
  readonly serverId: string;
  /** What it is to run with. The driver holds to these figures, and refuses an id that it does not know. */
  readonly flavor: Flavor;
}

export interface CreateVolume {
  readonly clientToken: string;
  readonly deploymentId: string;
  readonly instanceId: string;
  /** GB. */
  readonly size: number;
  /** What the server to come will need: a driver with several hosts looks for room for both. */
  readonly server?: { readonly flavor: Flavor; readonly imageId: string; readonly availabilityZone?: string };
  /** What `onChosen` was told at an earlier try. */
  readonly volumeId?: string | undefined;
  /** Told which id the volume will have, before it is made; where it rejects, none is. A driver with one host need not say it. */
  readonly onChosen?: (volumeId: string) => Promise<void>;
}

/** Something outside that carries a deployment's id: made for one of its instances by the request with this token. */
export interface OwnedThing {
  readonly kind: 'server' | 'volume' | 'snapshot';
  readonly id: string;
  readonly clientToken: string;
  readonly deploymentId: string;
  readonly instanceId: string;
  /** Of a volume: GB, as it is now. */
  readonly size?: number;
  /** Of a server: the flavor that it runs with now. */
  readonly flavorId?: string;
}

/**
 * Where instances run. Every call takes a signal and gives up when it is aborted; "not there" at a delete is success.
 * `IMAGE_NOT_FOUND`, `FLAVOR_NOT_FOUND` are permanent, `COMPUTE_ERROR` says by `retryable`. One conformance suite holds all drivers.
 */
export interface ComputeDriver {
  readonly name: 'local' | 'docker' | 'nova';
  /** Where not, the calls that concern snapshots reject, and an upgrade to another version is refused before it begins. */
  readonly canSnapshot: boolean;
  flavors(): Promise<readonly Flavor[]>;
  images(): Promise<readonly Image[]>;
  hosts(): Promise<readonly HostInfo[]>;
  createVolume(request: CreateVolume, signal: AbortSignal): Promise<{ volumeId: string }>;
  /** The volume that this token made, or undefined. With the id that it was to have, no host but that one's has to answer. */
  findVolume(clientToken: string, volumeId?: string): Promise<{ volumeId: string } | undefined>;
  /**
   * Makes the volume, and the file system on it, `size` GB large, under a running server too. It only grows: one that is
   * this large or larger stays as it is. `COMPUTE_ERROR` where it is not there.
   */
  extendVolume(volumeId: string, size: number, signal: AbortSignal): Promise<void>;
  /** In GB, as it is now; undefined where it is not there. */
  volumeSize(volumeId: string): Promise<number | undefined>;
  deleteVolume(volumeId: string, signal: AbortSignal): Promise<void>;
  /** A copy of the volume, taken while the server is stopped. The same token never makes two. */
  snapshotVolume(volumeId: string, clientToken: string, signal: AbortSignal): Promise<{ snapshotId: string }>;
  /** Puts the volume back to the snapshot; the server is stopped. */
  restoreVolume(volumeId: string, snapshotId: string, signal: AbortSignal): Promise<void>;
  /**
   * The snapshot that this token made, or undefined; half a copy counts as none and is removed with its volume or server.
   * With the volume that it was to be of, no host but that one's has to answer.
   */
  findSnapshot(clientToken: string, volumeId?: string): Promise<{ snapshotId: string } | undefined>;
  deleteSnapshot(snapshotId: string, signal: AbortSignal): Promise<void>;
  createServer(request: CreateServer, signal: AbortSignal): Promise<Server>;
  /**
   * Every server that this token made, looked up in the world: more than one is a fault that the caller cleans up. A server
   * is where its volume is: where `volumeId` says which one it was to have, no other host has to answer.
   */
  findServers(clientToken: string, volumeId?: string): Promise<readonly Server[]>;
  getServer(serverId: string): Promise<Server | undefined>;
  stopServer(serverId: string, signal: AbortSignal): Promise<void>;
  startServer(serverId: string, signal: AbortSignal): Promise<void>;
  /** A new root and new injected files from the image; volume, address and id stay. The server is started. */
  rebuildServer(request: RebuildServer, signal: AbortSignal): Promise<Server>;
  /**
   * The server under another flavor's limits: stopped as a machine is switched off, then started. Root, files, volume,
   * address, id and generation stay. One that has the flavor already is started where it does not run, and left alone
   * where it does. `FLAVOR_NOT_FOUND` touches nothing.
   */
  resizeServer(request: ResizeServer, signal: AbortSignal): Promise<Server>;
  deleteServer(serverId: string, signal: AbortSignal): Promise<void>;
  /** The injected files as they are on the server now; what an undo puts back. */
  injectedFiles(serverId: string): Promise<InjectedFiles>;
  /**
   * Everything of this deployment, or of this one instance of it. What carries another deployment's id, or none, is left out.
   * Rejects where any host does not answer: what is not in the list is not there.
   */
  listOwned(deploymentId: string, instanceId?: string): Promise<readonly OwnedThing[]>;
}
