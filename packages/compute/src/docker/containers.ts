import type { ContainerCreateOptions, ContainerInfo, ContainerInspectInfo } from 'dockerode';
import { type ArchiveEntry, archiveOf } from './archive.ts';
import { type Engine, httpStatus } from './engine.ts';
import { labelled } from './labels.ts';

const STARTED_OR_STOPPED = 304;

/** All containers with these labels, running or not. */
export function listContainers(
  engine: Engine,
  labels: Parameters<typeof labelled>[0],
  signal?: AbortSignal,
): Promise<readonly ContainerInfo[]> {
  const filters = labelled(labels);
  return engine.call(
    (docker, abortSignal) => docker.listContainers({ all: true, filters, abortSignal }),
    signal === undefined ? {} : { signal },
  );
}

export function findContainer(
  engine: Engine,
  name: string,
  signal?: AbortSignal,
): Promise<ContainerInspectInfo | undefined> {
  return engine.find(
    (docker, abortSignal) => docker.getContainer(name).inspect({ abortSignal }),
    signal === undefined ? {} : { signal },
  );
}

/** The id of a new container; undefined where there is one of that name already. */
export async function makeContainer(
  engine: Engine,
  options: ContainerCreateOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const made = await engine.call((docker, abortSignal) => docker.createContainer({ ...options, abortSignal }), {
      signal,
    });
    return made.id;
  } catch (error) {
    if (httpStatus(error) === 409) return undefined;
    throw error;
  }
}

/** Running already is success. */
export async function startContainer(engine: Engine, id: string, signal: AbortSignal): Promise<void> {
  await settle(engine.call((docker, abortSignal) => docker.getContainer(id).start({ abortSignal }), { signal }));
}

/** Asked first, and made after `seconds`; stopped already, and not there, are success. */
export async function stopContainer(engine: Engine, id: string, seconds: number, signal: AbortSignal): Promise<void> {
  const timeoutMs = (seconds + 20) * 1000;
  await engine.find((docker, abortSignal) => settle(docker.getContainer(id).stop({ t: seconds, abortSignal })), {
    signal,
    timeoutMs,
  });
}

/** Killed and gone; being gone is success, being on the way is not yet. */
export async function removeContainer(engine: Engine, id: string, signal: AbortSignal): Promise<void> {
  await engine.find((docker, abortSignal) => docker.getContainer(id).remove({ force: true, abortSignal }), { signal });
}

/** Writes entries below a folder of a container, which need not run. */
export async function putEntries(
  engine: Engine,
  id: string,
  path: string,
  entries: readonly ArchiveEntry[],
  signal: AbortSignal,
): Promise<void> {
  const tar = await archiveOf(entries);
  await engine.call((docker, abortSignal) => docker.getContainer(id).putArchive(tar, { path, abortSignal }), {
    signal,
  });
}

async function settle(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (httpStatus(error) !== STARTED_OR_STOPPED) throw error;
  }
}
