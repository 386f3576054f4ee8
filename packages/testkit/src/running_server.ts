/** A server that this process started, or was told of. */
export interface RunningServer {
  /** With an account that may make vhosts or databases. */
  url: string;
  /** Where it came from, for people. */
  description: string;
  running(): boolean;
  /** Ends it and removes its files. A server that was given is left as it is. */
  stop(): Promise<void>;
}

/** One that this process has started. */
export interface OwnServer extends RunningServer {
  /** To the server and all that it has started. */
  signal(signal: NodeJS.Signals): void;
  /** Resolves when it has gone, by itself or by a signal. */
  ended(): Promise<void>;
  /** Once it has gone: at the same address, with what it had stored. Resolves when it serves. */
  startAgain(): Promise<void>;
}
