import type { CommandResult, Outside, Speaker, SqlRow } from './outside.ts';
import { parseList, parseProperties } from './table_reader.ts';

/** What the rows have in hand: the outside, shown on the screen as an operator would see it, and the ids they met. */
export interface Stage {
  readonly outside: Outside;
  print(text: string): void;
  /** Runs `trove …`, printing the command and what it printed. */
  trove(argv: readonly string[], speaker?: Speaker, input?: string): Promise<CommandResult>;
  manage(argv: readonly string[]): Promise<CommandResult>;
  select(sql: string): Promise<readonly SqlRow[]>;
  /** `trove show` as its lines, once more until `until` holds or the time is up; what was seen last. */
  showUntil(name: string, until: (properties: Properties) => boolean, timeoutMs?: number): Promise<Properties>;
  /** The id that `trove list` gives for a name. */
  idOf(name: string): Promise<string>;
}

export type Properties = Readonly<Record<string, string>>;

const POLL_MS = 400;
const DEFAULT_TIMEOUT_MS = 90_000;

export function createStage(outside: Outside, print: (text: string) => void): Stage {
  const ids = new Map<string, string>();
  const stage: Stage = {
    outside,
    print,
    async trove(argv, speaker = 'admin', input) {
      print(`$ trove ${[...(speaker === 'admin' ? [] : ['--as', speaker]), ...argv].map(quote).join(' ')}\n`);
      const result = await outside.trove(speaker, argv, input);
      print(result.stdout + result.stderr);
      return result;
    },
    async manage(argv) {
      print(`$ trove-manage ${argv.map(quote).join(' ')}\n`);
      const result = await outside.manage(argv);
      print(result.stdout + (result.code === 0 ? '' : result.stderr));
      return result;
    },
    async select(sql) {
      print(`sql> ${sql}\n`);
      const rows = await outside.select(sql);
      print(
        rows
          .map(
            (row) =>
              `     ${Object.values(row)
                .map((value) => value ?? 'NULL')
                .join(' | ')}\n`,
          )
          .join(''),
      );
      return rows;
    },
    async showUntil(name, until, timeoutMs = DEFAULT_TIMEOUT_MS) {
      let properties: Properties = {};
      for (let waitedMs = 0; waitedMs <= timeoutMs; waitedMs += POLL_MS) {
        properties = parseProperties((await outside.trove('admin', ['show', name])).stdout);
        if (until(properties) || properties.status === 'ERROR') break;
        await outside.sleep(POLL_MS);
      }
      await stage.trove(['show', name]);
      return properties;
    },
    async idOf(name) {
      const known =
        ids.get(name) ??
        parseList((await outside.trove('admin', ['list'])).stdout).find((row) => row.name === name)?.id;
      if (known === undefined) throw new Error(`trove list shows no ${name}`);
      ids.set(name, known);
      return known;
    },
  };
  return stage;
}

function quote(word: string): string {
  return /^[\w./:=@,-]+$/.test(word) ? word : `'${word}'`;
}
