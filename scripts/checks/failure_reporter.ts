import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** What is used of vitest's own `TestModule`, `TestCase` and errors. */
interface Failing {
  readonly message: string;
  readonly diff?: string | undefined;
  readonly stacks?: readonly { file: string; line: number }[] | undefined;
}
interface Module {
  readonly relativeModuleId: string;
  errors(): readonly Failing[];
  readonly children: { allTests(state: 'failed'): Iterable<TestCase> };
}
interface TestCase {
  readonly fullName: string;
  result(): { readonly errors?: readonly Failing[] | undefined };
}

/** Terminal colours and the like. */
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

/** One failure in at most `limit` lines: its name, what was said, the difference, where. */
export function describeFailure(name: string, failures: readonly Failing[], limit = 60): string[] {
  const lines = failures.flatMap(({ message, diff, stacks }) => [
    ...message.split('\n'),
    ...(diff?.split('\n') ?? []),
    ...(stacks ?? []).map(({ file, line }) => `at ${file}:${line}`),
  ]);
  const said = lines.map((line) => line.replaceAll(ESCAPES, '')).filter((line) => line.trim() !== '');
  const cut = said.length > limit ? [...said.slice(0, limit), `(${said.length - limit} more lines)`] : said;
  return [`failed: ${name}`, ...cut.map((line) => `    ${line.slice(0, 400)}`)];
}

/**
 * A reporter that leaves what failed tests said in a file, a line each: `npm test` repeats it at its end, since the
 * output of the package stands far above by then. vitest's JSON report has stacks only, no differences.
 */
export function failureReporter(file: string): { onTestRunEnd(modules: readonly Module[]): void } {
  return {
    onTestRunEnd(modules) {
      const lines = modules.flatMap((module) => [
        ...(module.errors().length > 0 ? describeFailure(module.relativeModuleId, module.errors()) : []),
        ...[...module.children.allTests('failed')].flatMap((test) =>
          describeFailure(`${module.relativeModuleId}: ${test.fullName}`, test.result().errors ?? []),
        ),
      ]);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    },
  };
}
