import { parseArgs } from 'node:util';
import { openMemoryRuntime } from './stack/memory_runtime.ts';
import { outsideOf } from './stack/outside_of.ts';
import { openRealRuntime } from './stack/real_runtime.ts';
import { summary, walk } from './walkthrough.ts';

/** Shows the walkthrough; returns the exit code. */
export async function runDemo(argv: readonly string[], print: (text: string) => void): Promise<number> {
  const stack = stackOf(argv);
  if (stack === undefined) {
    print('usage: npm run demo [-- --stack memory|real]\n');
    return 2;
  }
  const started = performance.now();
  const runtime = await (stack === 'real' ? openRealRuntime(print) : openMemoryRuntime());
  let ok = false;
  try {
    print(`${runtime.description}\n`);
    const end = summary(await walk({ outside: outsideOf(runtime), print }));
    ok = end.ok;
    print(`\n${((performance.now() - started) / 1000).toFixed(0)} s${end.text}`);
  } catch (error) {
    print(`\nThe walkthrough cannot go on: ${error instanceof Error ? error.message : String(error)}\n`);
  } finally {
    await runtime.close({ keepFiles: !ok });
    if (!ok) print('Logs and files are kept where the first line says.\n');
  }
  return ok ? 0 : 1;
}

function stackOf(argv: readonly string[]): 'memory' | 'real' | undefined {
  const options = { stack: { type: 'string', default: 'memory' } } as const;
  const { values, positionals } = parseArgs({ args: [...argv], options, strict: false });
  const isKnown = positionals.length === 0 && Object.keys(values).length === 1;
  return isKnown && (values.stack === 'memory' || values.stack === 'real') ? values.stack : undefined;
}
