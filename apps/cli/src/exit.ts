/** What the shell is told. Scripts may rely on these numbers. */
export const EXIT = {
  ok: 0,
  refused: 1,
  usage: 2,
  notFound: 3,
  unreachable: 4,
  waitFailed: 5,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command: its text goes to standard error, its code to the shell. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  /** After how many milliseconds the very same may be tried again, where a moment later it may succeed. */
  readonly againAfterMs: number | undefined;

  constructor(exitCode: ExitCode, message: string, againAfterMs?: number) {
    super(message);
    this.exitCode = exitCode;
    this.againAfterMs = againAfterMs;
  }
}
