/** Who sends a request, as a token says it. */
export interface Caller {
  readonly userId: string;
  readonly userName: string;
  readonly projectId: string;
  readonly roles: readonly string[];
}

/** Where tokens are looked up: a file of static tokens, later Keystone. */
export interface Identity {
  /** What `WWW-Authenticate` says beside a 401. */
  readonly challenge: string;
  /** The caller of this token, or undefined where nobody has it. Rejects only where the answer cannot be had. */
  authenticate(presented: string): Promise<Caller | undefined>;
}
