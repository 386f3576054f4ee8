import {
  type AllRings,
  acceptRings,
  type KeyStatus,
  keyStatus,
  type OwedKey,
  owedKeys,
  rewrapKeys,
  type UnsettledKey,
  unsettledKeys,
} from '@trove/catalog';
import type { Command } from 'commander';
import { renderTable } from '../../table.ts';
import type { ManageSession } from '../session.ts';
import { addRotate } from './rotate.ts';

/** `keys status`, `keys rewrap`, and what changes instances' own keys. */
export function addKeys(program: Command, session: ManageSession): void {
  const keys = program
    .command('keys')
    .description('The keys that the catalog rests under, and those of instances. Give the files that have the former.')
    .addHelpText('after', HELP);

  keys
    .command('status')
    .description(
      'Show each key of each ring by its id, what rests under it, and whether it may go; keys of instances that are being changed, and what is owed for those that count.',
    )
    .addHelpText('after', STATUS_HELP)
    .action(() =>
      session.withCurrentCatalog(async (catalog) => {
        const rings = session.keyRings();
        const status = await keyStatus(catalog, rings);
        session.print(
          renderTable(
            ['Setting', 'Place', 'Id', 'Texts', 'Means'],
            status.map((key) => rowOf(key, status)),
          ),
        );
        const unsettled = await unsettledKeys(catalog);
        if (unsettled.length > 0)
          session.print(renderTable(['Instance', 'Version', 'State', 'Means'], unsettled.map(unsettledRow)));
        const owed = await owedKeys(catalog);
        if (owed.length > 0)
          session.print(renderTable(['Instance', 'Version', 'Owed', 'Since', 'Means'], owed.map(owedRow)));
      }),
    );

  keys
    .command('rewrap')
    .description('Move everything to the first key of its ring. May be stopped and run again, beside the services.')
    .action(() =>
      session.withCurrentCatalog(async (catalog) => {
        const rings: AllRings = session.keyRings();
        const { moved, left, unreadable } = await rewrapKeys(catalog, rings);
        session.print(
          `${moved} moved, ${left} still need an old key, ${unreadable} open under no key of these files.\n`,
        );
      }),
    );

  keys
    .command('accept')
    .description(
      'For keys that are lost: services start with those of these files, though what rests under the lost ones opens no more.',
    )
    .action(() =>
      session.withCurrentCatalog(async (catalog) => {
        const accepted = await acceptRings(catalog, session.keyRings());
        session.print(
          accepted.length === 0 ? 'The keys of these files count already.\n' : `Accepted: ${accepted.join(', ')}.\n`,
        );
      }),
    );

  addRotate(keys, session);
}

function unsettledRow({ instanceId, version, state, injected }: UnsettledKey): string[] {
  return [instanceId, String(version), state, unsettledMeaning(injected)];
}

function unsettledMeaning(injected: UnsettledKey['injected']): string {
  if (injected === 'valid') return 'injected into a server that is being made';
  if (injected === 'over') return 'injected, half an hour ago or more: opens nothing';
  return 'agreed on, not proven yet: "keys rotate-instance" brings it to an end';
}

const OWED: Readonly<Record<OwedKey['what'], readonly [shown: string, means: string]>> = {
  password: [
    'password',
    "the broker still has an older one: a task changes it when the broker's administration answers",
  ],
  rotation: ['another key', "it stands in its server's files: it is changed by itself when the guest next reports"],
};

function owedRow({ instanceId, version, what, since }: OwedKey): string[] {
  const [shown, means] = OWED[what];
  return [instanceId, String(version), shown, new Date(since).toISOString(), means];
}

const STATUS_HELP = `
Exit code: 0 once all of it is shown, also where something is owed, being changed, or opens under no key.`;

const HELP = `
A key is changed in this order: add the new one last, in every file that has the ring, and restart; put it first, in every
file, and restart; "keys rewrap" until 0 still need an old key; 24 hours after the new one was put first, take the old one
out where "keys status" says that it may go.`;

function rowOf(key: KeyStatus, all: readonly KeyStatus[]): string[] {
  return [
    key.setting,
    key.place === null ? '-' : String(key.place),
    key.id ?? '-',
    String(key.rows),
    meaning(key, all),
  ];
}

function meaning(key: KeyStatus, all: readonly KeyStatus[]): string {
  const derived = key.derived ? ' (derived from inst_rpc_key_encr_key)' : '';
  if (key.id === null) return "Trove's own form, which does not tell its key";
  if (key.place === null) return 'no key of these files: does not open';
  if (key.place === 1) return `seals${derived}`;
  if (key.rows > 0) return `needed until rewrap${derived}`;
  const untold = all.some(({ setting, id }) => setting === key.setting && id === null);
  return untold ? "may be needed by Trove's own form" : `may go, 24 h after it was first${derived}`;
}
