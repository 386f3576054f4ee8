import { runDemo } from '@trove/standalone';

const interrupted = new AbortController();
// The second one ends the process at once.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => interrupted.abort());

const code = await runDemo(process.argv.slice(2), (text) => process.stdout.write(text), interrupted.signal);
// Also while a step that was interrupted waits for an answer that will not come.
process.exit(code);
