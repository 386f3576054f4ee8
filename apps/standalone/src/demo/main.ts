import { parseArgs } from 'node:util';
import { openMemoryRuntime } from './stack/memory_runtime.ts';
import { outsideOf } from './stack/outside_of.ts';
import { openRealRuntime } from './stack/real_runtime.ts';
import { summary, walk } from './walkthrough.ts';

/** Shows the walkthrough; returns the exit code. */
export async function runDemo(argv: readonly string[], print: (text: string) => void): Promise<number> {
  const { values } = parseArgs({ args: [...argv], options: { stack: { type: 'string', default: 'memory' } } });
  if (values.stack !== 'memory' && values.stack !== 'real') {
    print(`--stack takes memory or real, not ${values.stack}\n`);
    return 2;
  }
  const started = performance.now();
  const runtime = await (values.stack === 'real' ? openRealRuntime(print) : openMemoryRuntime());
  let ok = false;
  try {
    print(`${runtime.description}\n`);
    const end = summary(await walk({ outside: outsideOf(runtime), print }));
    ok = end.ok;
    print(`\n${((performance.now() - started) / 1000).toFixed(0)} s${end.text}`);
  } finally {
    await runtime.close({ keepFiles: !ok });
    if (!ok) print('Logs and files are kept where the first line says.\n');
  }
  return ok ? 0 : 1;
}
