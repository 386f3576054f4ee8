import { CONFIG_FILES, type ServerFacts, type SqlRow } from '../outside.ts';
import { defineRow, holds, same } from '../row.ts';
import { parseList } from '../table_reader.ts';
import { messagesOf, readMessage } from '../tap_reader.ts';
import { normalType, OLD_COLUMNS } from './old_columns.ts';
import { LEGACY_NAMES, until } from './shared.ts';

const HAS_KEY = /^\s*instance_rpc_encr_key\s*[=:]/m;

export const oldCatalog = defineRow({
  number: 1,
  title: 'a catalog at migration 040, as Trove left it',
  async act(stage) {
    await stage.outside.makeOldCatalog();
    const version = await stage.manage(['db_version']);
    const columns = await stage.outside.columns('instances');
    stage.print(columns.map(({ name, type }) => `     ${name} ${type}\n`).join(''));
    return { version: version.stdout.trim(), columns };
  },
  expectations: [
    { expected: 'the catalog is at 40', look: ({ version }) => holds(version, /\b40\b/.test(version)) },
    {
      expected: 'instances has 23 columns in that order, none for a key',
      look: ({ columns }) =>
        holds(
          `${columns.length} columns, the last ${columns.at(-1)?.name}`,
          sameNames(
            columns.map(({ name }) => name),
            Object.keys(OLD_COLUMNS),
          ),
        ),
    },
    {
      expected: "their types are those of Trove's",
      look: ({ columns }) => {
        const others = columns
          .filter(({ name, type }) => normalType(type) !== OLD_COLUMNS[name])
          .map(({ name, type }) => `${name} ${type}`);
        return holds(others.length === 0 ? 'all the same' : `other: ${others.join(', ')}`, others.length === 0);
      },
    },
  ],
});

interface OldGuests {
  readonly guests: Readonly<Record<string, { id: string; facts: ServerFacts }>>;
  readonly reporting: readonly string[];
  readonly before: readonly SqlRow[];
  readonly after: readonly SqlRow[];
}

export const oldGuests = defineRow({
  number: 2,
  title: 'guests m2, m3 and m4, older than secure messaging, running in clear with no control plane',
  async act(stage) {
    const before = await reportTimes(stage.outside);
    const guests: Record<string, { id: string; facts: ServerFacts }> = {};
    for (const row of await stage.select(
      "select id, name from instances where name in ('m2', 'm3', 'm4') order by name",
    )) {
      await stage.outside.placeLegacyGuest(String(row.name));
      const facts = await stage.outside.server(String(row.id));
      guests[String(row.name)] = { id: String(row.id), facts };
      stage.print(
        `${row.name}'s /etc/trove/conf.d/guest_info.conf, server ${facts.serverId}:\n${indent(facts.guestInfo)}`,
      );
    }
    const reporting = await until(stage.outside, async () => {
      const messages = (await stage.outside.tapped()).map(readMessage);
      const names = Object.keys(guests).filter((name) =>
        messagesOf(messages, guests[name]?.id ?? '').some(
          ({ method, text }) => method === 'heartbeat' && text.includes('healthy'),
        ),
      );
      return { done: names.length === LEGACY_NAMES.length, value: names };
    });
    return { guests, reporting, before, after: await reportTimes(stage.outside) };
  },
  expectations: [
    ...LEGACY_NAMES.map((name) => ({
      expected: `${name}'s file has [DEFAULT], guest_id, datastore_manager, tenant_id and no key`,
      look: ({ guests }: OldGuests) => {
        const file = guests[name]?.facts.guestInfo ?? '';
        const members = ['guest_id', 'datastore_manager', 'tenant_id'].filter((member) =>
          new RegExp(`^${member}\\s*=`, 'm').test(file),
        );
        const keyed = HAS_KEY.test(file);
        return holds(
          `${members.join(', ')}, ${keyed ? 'a key' : 'no key'}`,
          file.includes('[DEFAULT]') && members.length === 3 && !keyed,
        );
      },
    })),
    {
      expected: 'each reports in clear on the bus that it is healthy',
      look: ({ reporting }) => same(reporting, [...LEGACY_NAMES]),
    },
    {
      expected: 'nobody serves them: the catalog holds what Trove left',
      look: ({ before, after }) => holds(JSON.stringify(after), JSON.stringify(before) === JSON.stringify(after)),
    },
  ],
});

export const migration = defineRow({
  number: 3,
  title: 'trove-manage db_sync with the control plane stopped and the guests running',
  async act(stage) {
    await stage.outside.stopControlPlane();
    const first = await stage.manage(['db_sync', '--to', '41']);
    const columns = await stage.outside.columns('instances');
    const keyed = await stage.select('select count(*) as keyed from instances where encrypted_key is not null');
    const all = await stage.manage(['db_sync']);
    const again = await stage.manage(['db_sync']);
    return { first: first.stdout, columns, keyed: keyed[0]?.keyed, all, again };
  },
  expectations: [
    { expected: '40 -> 41... done', look: ({ first }) => holds(first.trim(), /^40 -> 41\.\.\. done$/m.test(first)) },
    {
      expected: 'the 24th column is encrypted_key varchar(255) NULL',
      look: ({ columns }) => {
        const added = columns[23];
        const seen = `${columns.length} columns, the 24th ${added?.name} ${added?.type}`;
        return holds(
          seen,
          columns.length === 24 && added?.name === 'encrypted_key' && normalType(added.type) === 'varchar(255)',
        );
      },
    },
    { expected: 'it is NULL in every row', look: ({ keyed }) => holds(`${keyed} rows have one`, Number(keyed) === 0) },
    {
      expected: 'a plain db_sync does the other steps',
      look: ({ all }) => holds(lastLine(all.stdout), all.code === 0 && /\.\.\. done/.test(all.stdout)),
    },
    {
      expected: 'running it again does nothing',
      look: ({ again }) =>
        holds(
          again.stdout.trim() === '' ? 'it printed nothing' : lastLine(again.stdout),
          again.code === 0 && !/ -> /.test(again.stdout),
        ),
    },
  ],
});

export const clearControlPlane = defineRow({
  number: 4,
  title: 'the control plane, with enable_secure_rpc_messaging = False in its three files, takes the guests over',
  async act(stage) {
    const before = await reportTimes(stage.outside);
    stage.print(await stage.outside.startControlPlane('clear'));
    const files = await Promise.all(CONFIG_FILES.map((name) => stage.outside.configFile(name)));
    const after = await until(stage.outside, async () => {
      const times = await reportTimes(stage.outside);
      return { done: times.every((time, index) => time.updated_at !== before[index]?.updated_at), value: times };
    });
    const list = await until(stage.outside, async () => {
      const rows = parseList((await stage.outside.trove('admin', ['list'])).stdout);
      return {
        done: rows.length >= LEGACY_NAMES.length && rows.every(({ status }) => status === 'ACTIVE'),
        value: rows,
      };
    });
    await stage.trove(['list']);
    const shown = await stage.showUntil('m2', (properties) => properties.volume_used !== undefined);
    return { files, before, after, list, shown, facts: await stage.outside.server(await stage.idOf('m2')) };
  },
  expectations: [
    {
      expected: 'the switch is off in all three files',
      look: ({ files }) =>
        same(files.filter((text) => /^enable_secure_rpc_messaging = False$/m.test(text)).length, CONFIG_FILES.length),
    },
    {
      expected: 'heartbeats of m2, m3 and m4 are taken: newer than last seen, updated_at moves',
      look: ({ before, after }) =>
        holds(
          after.map((time) => `${time.name} ${time.updated_at}`).join(', '),
          after.length === 3 && after.every((time, index) => isNewer(time, before[index])),
        ),
    },
    {
      expected: 'trove list shows all three ACTIVE',
      look: ({ list }) =>
        same(
          LEGACY_NAMES.map((name) => list.find((row) => row.name === name)?.status),
          ['ACTIVE', 'ACTIVE', 'ACTIVE'],
        ),
    },
    {
      expected: 'trove show m2 has id, created, updated, flavor 25, volume 3, region RegionOne',
      look: ({ shown }) => {
        const { id, created, updated, flavor, volume, region } = shown;
        const seen = [flavor, volume, region].join(', ');
        return holds(
          seen,
          [id, created, updated].every((value) => (value ?? '') !== '') && seen === '25, 3, RegionOne',
        );
      },
    },
    {
      expected: 'its volume_used is a figure',
      look: ({ shown }) => holds(shown.volume_used ?? 'absent', Number(shown.volume_used) > 0),
    },
    {
      expected: 'its server_id and volume_id are those on the machine',
      look: ({ shown, facts }) => same([shown.server_id, shown.volume_id], [facts.serverId, facts.volumeId]),
    },
  ],
});

const REPORTS = `select i.name, s.updated_at, l.sent from instances i
  join service_statuses s on s.instance_id = i.id left join conductor_lastseen l on l.instance_id = i.id and l.method_name = 'heartbeat'
  where i.name in ('m2', 'm3', 'm4') order by i.name`;

function reportTimes(outside: { select(sql: string): Promise<readonly SqlRow[]> }): Promise<readonly SqlRow[]> {
  return outside.select(REPORTS);
}

function isNewer(now: SqlRow, before: SqlRow | undefined): boolean {
  return String(now.updated_at) > String(before?.updated_at) && Number(now.sent) > Number(before?.sent);
}

function sameNames(actual: readonly string[], expected: readonly string[]): boolean {
  return actual.join() === expected.join();
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

function indent(text: string): string {
  return `${text
    .trimEnd()
    .split('\n')
    .map((line) => `     ${line.replace(/(_key\s*=\s*).+/, '$1…')}`)
    .join('\n')}\n`;
}
