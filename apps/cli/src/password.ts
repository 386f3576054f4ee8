import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { CliIo } from './cli.ts';
import { CliError, EXIT } from './exit.ts';

/** One line of standard input, without its end; on a terminal asked for and not shown. */
export async function readPassword(io: CliIo, prompt: string): Promise<string> {
  if (io.stdin === undefined)
    throw new CliError(EXIT.usage, 'No password given, and no standard input to read it from.');
  io.stderr.write(io.stderr.isTTY === true ? prompt : '');
  const discard = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: io.stdin, output: discard, terminal: io.stderr.isTTY === true });
  try {
    for await (const line of lines) {
      if (line !== '') return line;
      break;
    }
  } finally {
    lines.close();
    io.stderr.write(io.stderr.isTTY === true ? '\n' : '');
  }
  throw new CliError(EXIT.usage, 'The password is empty.');
}
