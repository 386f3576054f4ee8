/** A database server's programs on this machine. */
export interface Installation {
  readonly manager: 'mysql' | 'mariadb' | 'postgresql';
  /** As the server says it, e.g. `10.11.19` or `18.4`. */
  readonly version: string;
  /** The folder with the programs; absolute. */
  readonly binDir: string;
}

export interface DatabaseSpec {
  readonly name: string;
  readonly characterSet?: string | null;
  readonly collate?: string | null;
}

export interface UserSpec {
  readonly name: string;
  readonly host?: string | null;
  readonly password: string;
  readonly databases: readonly string[];
}

export interface UserInfo {
  readonly name: string;
  readonly host: string;
  readonly databases: readonly string[];
}

/** One page by name: up to `limit` (null: all) items after `marker` (from it on where `includeMarker`). */
export interface PageRequest {
  readonly limit: number | null;
  readonly marker: string | null;
  readonly includeMarker: boolean;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextMarker: string | null;
}

/** Where one database lives on its instance. */
export interface DatastorePlace {
  readonly installation: Installation;
  /** On the volume: kept by a rebuild. The data, and the agent's own account (mode 0600). */
  readonly dataDir: string;
  /** On the root: pid files, sockets, logs; thrown away by a rebuild. */
  readonly runDir: string;
  readonly address: string;
  readonly port: number;
  /** The user that the server's process runs as when the agent is root; undefined: the agent's own. */
  readonly account?: { readonly uid: number; readonly gid: number };
}

/**
 * One database on one instance. Methods throw `TroveError`s: `DATABASE_NOT_FOUND`, `USER_EXISTS`, …; a name that the
 * datastore cannot hold is `BAD_REQUEST`. Names are quoted by the driver, never pasted into SQL.
 */
export interface Datastore {
  /** Initialises an empty data directory; a second call finds what the first has made. */
  initialise(): Promise<void>;
  /** Starts the server, or adopts the one that runs on this data directory; resolves when it serves. */
  start(): Promise<void>;
  /** Clean stop; resolves when the process is gone. */
  stop(): Promise<void>;
  /** Asked of the server itself. `stopped`: no process; `broken`: a process that does not serve. */
  status(): Promise<'healthy' | 'starting' | 'stopped' | 'broken'>;
  /** Names the server process that runs now, another after each start; null where none runs. */
  incarnation(): string | null;
  /** One that exists already is left as it is. */
  createDatabases(databases: readonly DatabaseSpec[]): Promise<void>;
  deleteDatabase(name: string): Promise<void>;
  listDatabases(page: PageRequest): Promise<Page<DatabaseSpec>>;
  createUsers(users: readonly UserSpec[]): Promise<void>;
  /** As `createUsers`, but one that exists is given this password and these databases: ends what a crash interrupted. */
  ensureUsers(users: readonly UserSpec[]): Promise<void>;
  listUsers(page: PageRequest): Promise<Page<UserInfo>>;
}

/** What a manager's package offers; config picks one by `datastore_manager`. */
export interface DatastoreDriver {
  readonly managers: readonly Installation['manager'][];
  readonly standardPort: number;
  /** Whether the server of version `to` serves the data of `from` when it starts on it: what an upgrade may ask for. */
  mayUpgrade(manager: Installation['manager'], from: string, to: string): boolean;
  /** What of this kind is installed here: on the PATH, and for PostgreSQL from npm first. */
  findInstallations(): Promise<readonly Installation[]>;
  /** The installation whose programs are in this folder; undefined where it holds none of this kind. */
  inspectFolder(folder: string): Promise<Installation | undefined>;
  open(place: DatastorePlace): Datastore;
}
