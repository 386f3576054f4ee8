import { TroveError } from '@trove/common';
import type { ContainerCreateOptions, ContainerInspectInfo } from 'dockerode';
import { PATHS } from './container_spec.ts';
import { findContainer, makeContainer, removeContainer, startContainer } from './containers.ts';
import type { Engine } from './engine.ts';
import { LABELS, type Labels } from './labels.ts';

/** Copies are waited for as long as the caller has; this only bounds one request. */
const WAIT_MS = 3_600_000;

/** Owners, modes and links as they are; on the disk before it counts. */
const SNAPSHOT = `set -e
if [ -e /from/${PATHS.data} ]; then cp -a /from/${PATHS.data} /to/; fi
sync`;

/** Whole or not at all: the copy takes the place of the data by two renames, and a repeat ends what was interrupted. */
const RESTORE = `set -e
cd /to
rm -rf incoming outgoing
cp -a /from/${PATHS.data} incoming
sync
if [ -e ${PATHS.data} ]; then mv ${PATHS.data} outgoing; fi
mv incoming ${PATHS.data}
sync
rm -rf outgoing`;

const SCRIPTS = { snapshot: SNAPSHOT, restore: RESTORE } as const;

export interface Copy {
  readonly kind: keyof typeof SCRIPTS;
  /** The container's name: there is one of it, whoever asks. */
  readonly name: string;
  /** Names of volumes. */
  readonly from: string;
  readonly to: string;
  readonly labels: Labels;
}

/**
 * A copy is a container of the image of the volume's server that runs `cp`, as root without a network. It goes on when
 * the taskmanager that asked for it dies or loses patience, and whoever asks next waits for the same one, or finds it
 * whole: a copy that takes longer than one try is there after several. One that failed is made anew.
 */
export async function makeCopy(engine: Engine, copy: Copy, signal: AbortSignal): Promise<void> {
  const begun = await stateOf(engine, copy.name, signal);
  if (isWhole(begun)) return;
  if (begun?.Status === 'exited') await removeContainer(engine, copy.name, signal);
  if (begun === undefined || begun.Status === 'exited')
    await makeContainer(engine, await optionsOf(engine, copy, signal), signal);
  // One that runs may end at any moment: started then, it would copy again.
  if (begun?.Status !== 'running') await startContainer(engine, copy.name, signal);
  await waitForEnd(engine, copy.name, signal);
  const state = await stateOf(engine, copy.name, signal);
  if (isWhole(state)) return;
  await removeContainer(engine, copy.name, signal);
  const cause = new Error(`${copy.name} on host ${engine.host.name} ended with ${state?.ExitCode ?? 'nothing'}`);
  throw new TroveError('COMPUTE_ERROR', 'The volume could not be copied.', { cause, retryable: true });
}

/** Whether the copy of that name is whole. */
export async function isCopied(engine: Engine, name: string): Promise<boolean> {
  return isWhole(await stateOf(engine, name));
}

function isWhole(state: ContainerInspectInfo['State'] | undefined): boolean {
  return state?.Status === 'exited' && state.ExitCode === 0;
}

/** Resolves when the container of that name has ended, or is not there. */
export async function waitForEnd(engine: Engine, name: string, signal: AbortSignal): Promise<void> {
  await engine.find((docker, abortSignal) => docker.getContainer(name).wait({ abortSignal }), {
    signal,
    timeoutMs: WAIT_MS,
  });
}

async function stateOf(
  engine: Engine,
  name: string,
  signal?: AbortSignal,
): Promise<ContainerInspectInfo['State'] | undefined> {
  return (await findContainer(engine, name, signal))?.State;
}

interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** A container that runs a script on volumes, as root with what `cp -a` needs and without a network. */
export function copyOptions(
  name: string,
  image: string,
  script: string,
  mounts: readonly Mount[],
  labels: Labels,
): ContainerCreateOptions {
  return {
    name,
    Image: image,
    User: '0:0',
    Entrypoint: ['/bin/sh', '-c', script],
    Cmd: [],
    Labels: { ...labels },
    HostConfig: {
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'],
      SecurityOpt: ['no-new-privileges:true'],
      Mounts: mounts.map(({ source, target, readOnly }) => ({
        Type: 'volume',
        Source: source,
        Target: target,
        ReadOnly: readOnly,
      })),
    },
  };
}

async function optionsOf(engine: Engine, copy: Copy, signal: AbortSignal): Promise<ContainerCreateOptions> {
  const image = await imageOf(engine, copy.kind === 'snapshot' ? copy.from : copy.to, signal);
  const mounts = [
    { source: copy.from, target: '/from', readOnly: true },
    { source: copy.to, target: '/to', readOnly: false },
  ];
  return copyOptions(copy.name, image, SCRIPTS[copy.kind], mounts, { ...copy.labels, [LABELS.kind]: 'copy' });
}

/** The image of the server that has the volume: it is on this host, and has the programs. */
async function imageOf(engine: Engine, volume: string, signal: AbortSignal): Promise<string> {
  const filters = { volume: [volume], label: [`${LABELS.kind}=server`] };
  const [user] = await engine.call(
    (docker, abortSignal) => docker.listContainers({ all: true, filters, abortSignal }),
    { signal },
  );
  if (user !== undefined) return user.ImageID;
  throw new TroveError('COMPUTE_ERROR', 'The volume belongs to no server.');
}
