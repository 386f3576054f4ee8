import { parseArgs } from 'node:util';
import { openComposeRuntime } from './stack/compose_runtime.ts';
import { openMemoryRuntime } from './stack/memory_runtime.ts';
import { type OpenRuntime, outsideOf } from './stack/outside_of.ts';
import { openRealRuntime } from './stack/real_runtime.ts';
import { summary, walk } from './walkthrough.ts';

const INTERRUPTED = 130;
const INTERRUPTED_TEXT =
  '\nInterrupted: the present step is ended, then what was made is taken away. Once more ends it at once.\n';
const LAST_STEP_MS = 60_000;

/** Shows the walkthrough; returns the exit code. Interrupted, it ends the step that it is at, unseen, and takes away what it made. */
export async function runDemo(
  argv: readonly string[],
  print: (text: string) => void,
  interrupted: AbortSignal,
): Promise<number> {
  const stack = stackOf(argv);
  if (stack === undefined) {
    print('usage: npm run demo [-- --stack memory|real|compose]\n');
    return argv.includes('--help') ? 0 : 2;
  }
  const started = performance.now();
  const runtime = await open(stack, print);
  if (runtime === undefined) return interrupted.aborted ? INTERRUPTED : 1;
  let ok = false;
  try {
    print(`${runtime.description}\n`);
    interrupted.addEventListener('abort', () => print(INTERRUPTED_TEXT));
    const walked = walk({
      outside: outsideOf(runtime),
      print: (text) => (interrupted.aborted ? undefined : print(text)),
      // Not within one: a guest that is just being made would be left behind.
      onRow: () => interrupted.throwIfAborted(),
    });
    const end = summary(await endsSoon(walked, interrupted));
    ok = end.ok;
    print(`\n${((performance.now() - started) / 1000).toFixed(0)} s${end.text}`);
  } catch (error) {
    if (!interrupted.aborted) print(`\nThe walkthrough cannot go on: ${textOf(error)}\n`);
  } finally {
    const keepFiles = !ok && !interrupted.aborted;
    await runtime.close({ keepFiles });
    if (keepFiles) print('Logs and files are kept where the first line says.\n');
  }
  if (interrupted.aborted) return INTERRUPTED;
  return ok ? 0 : 1;
}

async function open(stack: Stack, print: (text: string) => void): Promise<OpenRuntime | undefined> {
  try {
    return await STACKS[stack](print);
  } catch (error) {
    print(`The stack cannot be started: ${textOf(error)}\n`);
    return undefined;
  }
}

/** The work's own end, or a rejection where it goes on for long after the signal, waiting for what will not come. */
function endsSoon<T>(work: Promise<T>, interrupted: AbortSignal): Promise<T> {
  const cut = new Promise<never>((_resolve, reject) => {
    const giveUp = () => void setTimeout(() => reject(new Error('interrupted')), LAST_STEP_MS);
    if (interrupted.aborted) giveUp();
    interrupted.addEventListener('abort', giveUp);
  });
  return Promise.race([work, cut]);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
