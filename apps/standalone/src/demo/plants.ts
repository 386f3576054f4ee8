import type { CommandResult, Outside, ServerFacts, SqlRow, TappedMessage } from './outside.ts';

/** A world that is not as row `row` wants it: what the outside would have shown there. */
export interface PlantedFault {
  readonly row: number;
  readonly what: string;
  corrupt(method: keyof Outside, argument: string, answer: unknown): unknown;
}

type Corrupt = PlantedFault['corrupt'];

const on =
  <T>(method: keyof Outside, change: (answer: T, argument: string) => unknown, argumentHolds = ''): Corrupt =>
  (called, argument, answer) =>
    called === method && argument.includes(argumentHolds) ? change(answer as T, argument) : answer;

const printed = (change: (text: string) => string, argumentHolds: string): Corrupt =>
  on<CommandResult>('trove', (result) => ({ ...result, stdout: change(result.stdout) }), argumentHolds);

const clearMessage = (routingKey: string, method: string, args: object): TappedMessage => {
  const message = JSON.stringify({ method, args, version: '1.0' });
  return {
    exchange: 'trove',
    routingKey,
    body: Buffer.from(JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': message })).toString('base64'),
  };
};

const leaked = (idOf: (name: string) => string, name: string, method: string, args: object): Corrupt =>
  on<TappedMessage[]>('tapped', (messages) => [...messages, clearMessage(`guestagent.${idOf(name)}`, method, args)]);

/** One fault per row. `idOf` gives an instance's id by its name in the recorded run. */
export function plantedFaults(idOf: (name: string) => string): readonly PlantedFault[] {
  return [
    {
      row: 1,
      what: 'the old catalog has the key column already',
      corrupt: on<object[]>('columns', (columns) => [...columns, { name: 'encrypted_key', type: 'varchar(255)' }]),
    },
    {
      row: 2,
      what: "an old guest's file has a key",
      corrupt: on<ServerFacts>(
        'server',
        (facts) => ({ ...facts, guestInfo: `${facts.guestInfo}instance_rpc_encr_key = x\n` }),
        idOf('m3'),
      ),
    },
    {
      row: 3,
      what: 'the migration sets a key on a row',
      corrupt: on<SqlRow[]>('select', () => [{ keyed: 1 }], 'count(*)'),
    },
    {
      row: 4,
      what: "a guest's heartbeats are not taken",
      corrupt: on<SqlRow[]>('select', (rows) =>
        rows.map((row) => (row.name === 'm3' ? { ...row, updated_at: '2017-01-09 18:26:16' } : row)),
      ),
    },
    {
      row: 5,
      what: 'the create answers when all is done',
      corrupt: printed((text) => text.replace(/\| BUILD /, '| ACTIVE'), '"create"'),
    },
    {
      row: 6,
      what: 'the guest got another key than the catalog has',
      corrupt: on<ServerFacts>('server', (facts) => ({
        ...facts,
        guestInfo: facts.guestInfo.replace(/(instance_rpc_encr_key\s*=\s*)./, '$1!'),
      })),
    },
    {
      row: 7,
      what: 'the database is not on the instance that was asked',
      corrupt: on('connect', () => 'template1', 'foo10'),
    },
    {
      row: 8,
      what: 'a version is listed under another id',
      corrupt: printed((text) => text.replace(/[0-9a-f]{8}-/g, '00000000-'), 'datastore-version-list'),
    },
    {
      row: 9,
      what: 'the rebuild only restarts',
      corrupt: on<ServerFacts>('server', (facts) => ({ ...facts, rootMarker: facts.volumeMarker })),
    },
    {
      row: 10,
      what: 'post_upgrade goes out in clear',
      corrupt: leaked(idOf, 'm4', 'post_upgrade', { upgrade_info: {} }),
    },
    {
      row: 11,
      what: 'two instances share a key',
      corrupt: on<SqlRow[]>('select', (rows) => {
        const shared = rows.find((row) => row.name === 'm2')?.encrypted_key ?? null;
        return rows.map((row) => (row.name === 'm4' ? { ...row, encrypted_key: shared } : row));
      }),
    },
    {
      row: 12,
      what: 'the field is text in JSON',
      corrupt: printed((text) => text.replace(/("encrypted_rpc_messaging": )false/, '$1"False"'), '--json'),
    },
    {
      row: 13,
      what: 'a member sees the field',
      corrupt: printed(
        (text) => text.replace(/^(\| )id {2}/m, '| encrypted_rpc_messaging | True |\n$1id  '),
        '"member"',
      ),
    },
    {
      row: 14,
      what: "a name from m20's traffic passes in clear",
      corrupt: leaked(idOf, 'm20', 'create_database', { databases: [{ _name: 'foo20' }] }),
    },
  ];
}
