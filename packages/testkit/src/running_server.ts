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
