import { createCli } from './cli.ts';

process.exitCode = await createCli({
  fetch: globalThis.fetch,
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
}).run(process.argv.slice(2));
