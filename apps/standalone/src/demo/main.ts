import { parseArgs } from 'node:util';
import { openComposeRuntime } from './stack/compose_runtime.ts';
import { openMemoryRuntime } from './stack/memory_runtime.ts';
import { type OpenRuntime, outsideOf } from './stack/outside_of.ts';
import { openRealRuntime } from './stack/real_runtime.ts';
import { summary, walk } from './walkthrough.ts';

/** Shows the walkthrough; returns the exit code. */
export async function runDemo(argv: readonly string[], print: (text: string) => void): Promise<number> {
  const stack = stackOf(argv);
  if (stack === undefined) {
    print('usage: npm run demo [-- --stack memory|real|compose]\n');
    return 2;
  }
  const started = performance.now();
  const runtime = await STACKS[stack](print);
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

type Stack = 'memory' | 'real' | 'compose';

const STACKS: Readonly<Record<Stack, (print: (text: string) => void) => Promise<OpenRuntime>>> = {
  memory: () => openMemoryRuntime(),
  real: openRealRuntime,
  compose: openComposeRuntime,
};

function stackOf(argv: readonly string[]): Stack | undefined {
  const options = { stack: { type: 'string', default: 'memory' } } as const;
  const { values, positionals } = parseArgs({ args: [...argv], options, strict: false });
  const { stack, ...others } = values;
  const isKnown = positionals.length === 0 && Object.keys(others).length === 0;
  return isKnown && typeof stack === 'string' && stack in STACKS ? (stack as Stack) : undefined;
}
