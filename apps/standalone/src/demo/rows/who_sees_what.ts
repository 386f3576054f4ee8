import type { CommandResult } from '../outside.ts';
import { defineRow, holds, same } from '../row.ts';
import { parseProperties } from '../table_reader.ts';
import { messagesOf, type ReadMessage, readMessage } from '../tap_reader.ts';

const SHOWN = ['m20', 'm10', 'm2', 'm4'] as const;
const FIELD = 'encrypted_rpc_messaging';

export const keysInTheCatalog = defineRow({
  number: 11,
  title: 'select id, name, encrypted_key from instances',
  act: (stage) => stage.select('select id, name, encrypted_key from instances order by name'),
  expectations: [
    { expected: 'm10 has none', look: (rows) => holds(String(keyOf(rows, 'm10')), keyOf(rows, 'm10') === null) },
    {
      expected: 'm2, m4 and m20 have one each, all different',
      look: (rows) => {
        const keys = ['m2', 'm4', 'm20'].map((name) => keyOf(rows, name));
        const different = new Set(keys).size;
        return holds(
          `${keys.filter((key) => typeof key === 'string').length} set, ${different} different`,
          keys.every((key) => typeof key === 'string') && different === 3,
        );
      },
    },
  ],
});

export const adminSees = defineRow({
  number: 12,
  title: 'as an admin, trove show of m20, m10, m2 and m4',
  async act(stage) {
    const values: (string | undefined)[] = [];
    for (const name of SHOWN) values.push(parseProperties((await stage.trove(['show', name])).stdout)[FIELD]);
    const json = await stage.outside.trove('admin', ['--json', 'show', 'm10']);
    return { values, json: json.stdout };
  },
  expectations: [
    {
      expected: `one more line, ${FIELD}: True, False, True, True`,
      look: ({ values }) => same(values, ['True', 'False', 'True', 'True']),
    },
    {
      expected: 'in JSON a boolean of the instance object',
      look: ({ json }) => {
        const line = json.split('\n').find((text) => text.includes(FIELD));
        return holds(line?.trim() ?? 'absent', line?.trim().replace(/,$/, '') === `"${FIELD}": false`);
      },
    },
  ],
});

export const memberSees = defineRow({
  number: 13,
  title: 'the same as an ordinary member',
  async act(stage) {
    const shown: Record<string, string>[] = [];
    for (const name of SHOWN) shown.push(parseProperties((await stage.trove(['show', name], 'member')).stdout));
    return { shown, stranger: await stage.trove(['show', await stage.idOf('m20')], 'other') };
  },
  expectations: [
    {
      expected: 'the field is absent',
      look: ({ shown }) =>
        holds(
          `${shown.filter((properties) => FIELD in properties).length} of ${shown.length} have it`,
          shown.every((properties) => properties.status === 'ACTIVE' && !(FIELD in properties)),
        ),
    },
    {
      expected: 'a member of another project does not find the instance',
      look: ({ stranger }) => holds(`exit code ${stranger.code}`, stranger.code === 3 && stranger.stdout === ''),
    },
  ],
});

const WORDS = [
  'list_databases',
  'create_database',
  'create_user',
  'hello',
  'heartbeat',
  'foo2',
  'walker',
  'nowhere',
  'found',
];

interface Tapped {
  readonly of: Readonly<Record<'m2' | 'm10' | 'm20', readonly ReadMessage[]>>;
  readonly refused: CommandResult;
  readonly answers: number;
}

export const tapSees = defineRow({
  number: 14,
  title: 'what a tap on the broker sees of it all',
  async act(stage) {
    const passed = (await stage.outside.tapped()).length;
    for (const name of ['m2', 'm10', 'm20']) await stage.trove(['database-list', name]);
    const refused = await stage.trove(['database-delete', 'm20', 'nowhere']);
    const ids = { m2: await stage.idOf('m2'), m10: await stage.idOf('m10'), m20: await stage.idOf('m20') };
    const all = (await stage.outside.tapped()).map(readMessage);
    const of = {
      m2: messagesOf(all.slice(passed), ids.m2),
      m20: messagesOf(all, ids.m20),
      m10: messagesOf(all.slice(passed), ids.m10),
    };
    const answers = all.slice(passed).filter(({ sealed }) => sealed?.kind === 3 || sealed?.kind === 4).length;
    stage.print(
      `${all.length} messages since the bus began; of m20 ${of.m20.length}, of m2 since its upgrade ${of.m2.length}, of m10 ${of.m10.length}\n`,
    );
    return { of, refused, answers };
  },
  expectations: [
    ...(['m20', 'm2'] as const).map((name) => ({
      expected: `${name}: sealed envelopes only; no method, database or error text in clear`,
      look: ({ of }: Tapped) => {
        const messages = of[name];
        const words = WORDS.filter((word) => messages.some(({ text }) => text.includes(word)));
        const clear = messages.filter(({ sealed }) => sealed === undefined).length;
        return holds(
          `${messages.length} messages, ${clear} in clear, words found: ${words.join(', ') || 'none'}`,
          messages.length > 0 && clear === 0 && words.length === 0,
        );
      },
    })),
    {
      expected: 'a call that the guest refused was refused',
      look: ({ refused }) => holds(`exit code ${refused.code}`, refused.code === 3),
    },
    {
      expected: 'their answers passed the tap too, sealed',
      look: ({ answers }) => holds(`${answers} answers`, answers >= 3),
    },
    {
      expected: "m10: Trove's plain JSON",
      look: ({ of }) => {
        const methods = [...new Set(of.m10.flatMap(({ method }) => (method === undefined ? [] : [method])))];
        return holds(
          `methods in clear: ${methods.join(', ')}`,
          methods.includes('list_databases') && of.m10.every(({ sealed }) => sealed === undefined),
        );
      },
    },
  ],
});

function keyOf(rows: readonly Readonly<Record<string, unknown>>[], name: string): unknown {
  return rows.find((row) => row.name === name)?.encrypted_key;
}
