import { TroveError } from '@trove/common';
import type { Catalog } from '../catalog.ts';
import { isDuplicate } from '../errors.ts';
import type { KeyCheckRow } from '../tables.ts';
import { withTransaction } from '../transaction.ts';
import { openAtRest, sealAtRest } from './at_rest.ts';
import { keyStatus, SETTINGS } from './key_status.ts';
import { type AllRings, checkPlace, type KeySetting, ringOf } from './sealed_cells.ts';

/** What is sealed says nothing; that it opens says that the keys are the ones that this catalog rests under. */
const TEXT = 'trove';

/**
 * Refuses keys that are not this catalog's: with a wrong one a service would understand nobody, fail what it cannot open, and
 * write what nobody else can. A ring that is empty here is not looked at. Throws `CONFIG_INVALID` naming the setting.
 */
export async function checkRings({ knex }: Pick<Catalog, 'knex'>, rings: Partial<AllRings>): Promise<void> {
  const all = { control: [], instance: [], uplink: [], ...rings };
  for (const { setting, sealed } of await knex<KeyCheckRow>('key_checks').select()) {
    if (ringOf(setting as KeySetting, all).length > 0 && !opens(setting as KeySetting, all, sealed))
      throw otherKeys(setting);
  }
}

/**
 * The same, and from then on every service is held to these keys: the first that comes with a key for a setting writes down
 * what tells the next. A catalog of an earlier release, in which things rest already, is asked whether any of them opens.
 */
export async function claimRings(catalog: Catalog, rings: AllRings): Promise<void> {
  const { knex } = catalog;
  const known = await knex<KeyCheckRow>('key_checks').pluck('setting');
  const unknown = SETTINGS.filter((setting) => !known.includes(setting) && ringOf(setting, rings).length > 0);
  if (unknown.length > 0) {
    const status = await keyStatus(catalog, rings);
    for (const setting of unknown) {
      const used = status.filter((key) => key.setting === setting && key.id !== null && key.rows > 0);
      if (used.length > 0 && used.every(({ place }) => place === null)) throw otherKeys(setting);
    }
    await insertOnce(catalog, unknown, rings);
  }
  await checkRings(catalog, rings);
}

/** For keys that are lost: what rests under them stays closed, and from now on these count. Returns the settings of which that is so. */
export async function acceptRings(catalog: Catalog, rings: AllRings): Promise<readonly KeySetting[]> {
  return await withTransaction(catalog, async (tx) => {
    const rows = await tx<KeyCheckRow>('key_checks').forUpdate().select();
    const closed = rows
      .map(({ setting, sealed }) => ({ setting: setting as KeySetting, sealed }))
      .filter(({ setting, sealed }) => ringOf(setting, rings).length > 0 && !opens(setting, rings, sealed));
    for (const { setting } of closed)
      await tx<KeyCheckRow>('key_checks')
        .where({ setting })
        .update({ sealed: seal(setting, rings) });
    return closed.map(({ setting }) => setting);
  });
}

/** All of them or none: of two that come first with different keys, one has its way in everything. */
async function insertOnce(catalog: Catalog, settings: readonly KeySetting[], rings: AllRings): Promise<void> {
  const rows = settings.map((setting) => ({ setting, sealed: seal(setting, rings) }));
  try {
    await withTransaction(catalog, async (tx) => {
      for (const row of rows) await tx<KeyCheckRow>('key_checks').insert(row);
    });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
}

function seal(setting: KeySetting, rings: AllRings): string {
  return sealAtRest(ringOf(setting, rings), checkPlace(setting), TEXT);
}

function opens(setting: KeySetting, rings: AllRings, sealed: string): boolean {
  try {
    return openAtRest(ringOf(setting, rings), checkPlace(setting), sealed).toString('utf8') === TEXT;
  } catch {
    return false;
  }
}

function otherKeys(setting: string): TroveError {
  return new TroveError(
    'CONFIG_INVALID',
    `[DEFAULT] ${setting} holds none of the keys that this catalog rests under: compare with "trove-manage keys status", or, where they are lost, see "trove-manage keys accept".`,
  );
}
