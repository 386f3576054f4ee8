import { createCli } from './cli.ts';
import { runAsProcess } from './run_as_process.ts';

await runAsProcess(
  'trove',
  createCli({
    fetch: globalThis.fetch,
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    onInterrupt: (listener) => {
      process.once('SIGINT', listener);
      return () => process.off('SIGINT', listener);
    },
  }),
);
