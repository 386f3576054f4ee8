import { setTimeout as delay } from 'node:timers/promises';
import { keyStatus, type TaskRow } from '@trove/catalog';
import { randomText, Secret } from '@trove/common';
import { oneOf } from '@trove/testkit';
import type { Ground } from '../ground.ts';
import { manage } from '../manage.ts';
import { KEY_SETTINGS, type KeySetting, type Service } from '../service.ts';
import { type Fault, type Hands, SECOND } from './fault.ts';
import { until } from './own_instance.ts';

/** Of the keys that operators give to services. */
export const KEY_FAULTS: readonly Fault[] = [
  {
    name: "the operator's keys changed, services restarted one after the other",
    seconds: 90,
    lasting: true,
    apply: changeKeys,
  },
  {
    name: 'a wrong key on one of the taskmanagers',
    seconds: 30,
    lasting: true,
    apply: giveWrongKey,
  },
];

const KEY_LENGTH = 48;
const READY_WITHIN_S = 60;
/** Nothing but what rests in the catalog needs an old one; messages and `Idempotency-Key`s need an old K1 for a day. */
const FREE_AFTER_REWRAP: readonly KeySetting[] = ['inst_rpc_key_encr_key', 'inst_rpc_uplink_encr_key'];

/** As docs/operations.md says: the new key last, then first, then everything moved to it, then the old one out. */
async function changeKeys({ ground }: Hands): Promise<void> {
  const old = { ...ground.keys };
  const fresh = { ...ground.keys };
  for (const setting of KEY_SETTINGS) fresh[setting] = [randomText(KEY_LENGTH)];
  await deploy(ground, KEY_SETTINGS, (setting) => [...old[setting], ...fresh[setting]]);
  await deploy(ground, KEY_SETTINGS, (setting) => [...fresh[setting], ...old[setting]]);
  await rewrap(ground);
  await deploy(ground, FREE_AFTER_REWRAP, (setting) => fresh[setting]);
  await closedTexts(ground);
}

/** Until nothing needs an old key. */
async function rewrap(ground: Ground): Promise<void> {
  let said = '';
  const isDone = async (): Promise<boolean> => {
    said = await manage(ground, 'keys', 'rewrap').catch(String);
    return said.includes(' 0 still need an old key, 0 open under no key');
  };
  await until('nothing needs an old key', 60, isDone).catch(() => {
    ground.notHeld.push(`the old keys are still needed: ${said}`);
    throw new Error(said);
  });
}

/** Into every file that has the setting; then restarts those services, of each role one at a time. */
async function deploy(
  ground: Ground,
  settings: readonly KeySetting[],
  ringOf: (setting: KeySetting) => readonly string[],
): Promise<void> {
  for (const setting of settings) ground.keys[setting] = ringOf(setting);
  const concerned = ground.services.filter((service) => settings.some((setting) => service.hasSetting(setting)));
  for (const service of concerned) for (const setting of settings) service.writeSetting(setting, ground.keys[setting]);
  const ofRoles = Map.groupBy(concerned, ({ name }) => name.replace(/-\d+$/, ''));
  await Promise.all([...ofRoles.values()].map(renew));
}

async function renew(services: readonly Service[]): Promise<void> {
  for (const service of services)
    if (!(await service.renew(READY_WITHIN_S * SECOND))) throw new Error(`${service.name} is not ready again`);
}

/** It has to refuse to work, and to say why; nothing may be written under that key, and no task may end by it. */
async function giveWrongKey({ ground, random }: Hands): Promise<void> {
  const setting = oneOf(random, KEY_SETTINGS);
  const taskmanager = oneOf(random, ground.servicesOf('taskmanager'));
  const from = taskmanager.said().length;
  const saidSince = (): string => taskmanager.said().slice(from);
  taskmanager.writeSetting(setting, [randomText(KEY_LENGTH)]);
  taskmanager.kill();
  const refuses = async (): Promise<boolean> => saidSince().includes(`[DEFAULT] ${setting} holds none of the keys`);
  await until(`${taskmanager.name} refuses its wrong ${setting}`, READY_WITHIN_S, refuses).catch((error: unknown) => {
    ground.notHeld.push(String(error));
  });
  await delay(8 * SECOND);
  if (/^trove-taskmanager ready/m.test(saidSince()))
    ground.notHeld.push(`${taskmanager.name} worked with a wrong ${setting}`);
  taskmanager.writeSetting(setting, ground.keys[setting]);
  await closedTexts(ground);
}

/** What rests under a key that no file has, and what has come to nothing because of one. */
async function closedTexts({ catalog, keys, notHeld }: Ground): Promise<void> {
  const secrets = (setting: KeySetting): Secret[] => keys[setting].map((key) => new Secret(key));
  const rings = {
    control: secrets('taskmanager_rpc_encr_key'),
    instance: secrets('inst_rpc_key_encr_key'),
    uplink: secrets('inst_rpc_uplink_encr_key'),
  };
  for (const { setting, place, rows } of await keyStatus(catalog, rings))
    if (place === null && rows > 0) notHeld.push(`${rows} texts rest under a ${setting} that no service has`);
  const failed = await catalog
    .knex<TaskRow>('tasks')
    .where('error', 'like', '%does not open%')
    .select('id', 'kind', 'error');
  for (const { id, kind, error } of failed) notHeld.push(`${kind} ${id} has failed: ${error}`);
}
