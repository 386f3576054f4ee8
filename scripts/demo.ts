import { runDemo } from '@trove/standalone';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort();
  });
}

const code = await runDemo(process.argv.slice(2), (text) => process.stdout.write(text), interrupted.signal);
// Also while a step that was interrupted waits for an answer that will not come.
process.exit(code);
