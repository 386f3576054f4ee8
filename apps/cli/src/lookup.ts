import { looksLikeId } from './connection.ts';
import { CliError, EXIT } from './exit.ts';
import { asObject, asText, type JsonObject, type TroveClient } from './trove_client.ts';

/**
 * An instance by id, else by name. As with Trove's client an id is tried first; unlike there, all pages are searched.
 * A name that several instances have is an error that lists their ids.
 */
export async function findInstance(client: TroveClient, idOrName: string): Promise<JsonObject> {
  const direct = looksLikeId(idOrName) ? await client.find(`/instances/${encodeURIComponent(idOrName)}`) : undefined;
  if (direct !== undefined) return asObject(direct.instance);
  const id = idByName(await client.list('/instances', 'instances'), 'instance', idOrName);
  return asObject((await client.get(`/instances/${id}`)).instance);
}

export async function findInstanceId(client: TroveClient, idOrName: string): Promise<string> {
  return asText((await findInstance(client, idOrName)).id);
}

/** The id of an instance that may be gone meanwhile, so one that looks like an id is taken as it is. */
export async function onceInstanceId(client: TroveClient, idOrName: string): Promise<string> {
  return looksLikeId(idOrName) ? idOrName.toLowerCase() : await findInstanceId(client, idOrName);
}

/** A flavor's id from its id or name. */
export async function findFlavorId(client: TroveClient, idOrName: string): Promise<string> {
  const direct = await client.find(`/flavors/${encodeURIComponent(idOrName)}`);
  if (direct !== undefined) return idOrName;
  const flavors = await client.list('/flavors', 'flavors');
  return idByName(
    flavors.map((flavor) => ({ id: flavor.str_id ?? flavor.id ?? '', name: flavor.name ?? '' })),
    'flavor',
    idOrName,
  );
}

function idByName(items: readonly JsonObject[], kind: string, name: string): string {
  const found = items.filter((item) => item.name === name);
  const [first] = found;
  if (first === undefined) throw new CliError(EXIT.notFound, `No ${kind} with the id or name '${name}'.`);
  if (found.length === 1) return asText(first.id);
  throw new CliError(
    EXIT.refused,
    `${found.length} ${kind}s are named '${name}'. Use an id: ${found.map((item) => asText(item.id)).join(', ')}.`,
  );
}
