import type { ContainerCreateOptions, MountSettings } from 'dockerode';
import type { InjectedFiles } from '../driver.ts';
import type { ArchiveEntry, Owner } from './archive.ts';
import type { DockerHost } from './docker_hosts.ts';
import type { GuestImage } from './guest_image.ts';
import { names } from './ids.ts';
import { LABELS, type ServerSpec, serverLabels } from './labels.ts';

/** Where a server finds its parts. Only these, /tmp, /run and /dev/shm can be written; the rest of its root cannot. */
export const PATHS = {
  /** A volume that a rebuild replaces. */
  root: '/var/lib/trove/root',
  /** The injected files, in `root`. */
  files: 'files',
  serverFile: 'server.json',
  /** Where the volume is mounted: it holds `data`, which is the guest's, and notes of ours, which are root's. */
  volume: '/var/lib/trove/volume',
  data: 'data',
} as const;

/** Seconds that a database has to stop in order. */
export const STOP_SECONDS = 100;
const MB = 1024 * 1024;
const ROOT: Owner = { uid: 0, gid: 0 };

export interface ContainerRequest {
  readonly spec: ServerSpec;
  readonly image: GuestImage;
  /** The arguments of the agent. */
  readonly args: readonly string[];
  readonly network: string;
  readonly host: DockerHost;
}

/** The container that a server is in: no capability, no way to a new one, a root that cannot be written, limits as its flavor says. */
export function containerOptions({ spec, image, args, network, host }: ContainerRequest): ContainerCreateOptions {
  const { flavor, publicPort } = spec;
  const port = `${spec.port}/tcp`;
  const published = host.published === undefined || publicPort === null ? undefined : host.published.address;
  return {
    name: names.server(spec.id, spec.generation, flavor.id),
    Image: image.id,
    Cmd: [...args],
    Labels: { ...serverLabels(spec) },
    StopSignal: 'SIGTERM',
    StopTimeout: STOP_SECONDS,
    ExposedPorts: published === undefined ? {} : { [port]: {} },
    HostConfig: {
      Memory: flavor.ram * MB,
      MemorySwap: flavor.ram * MB,
      NanoCpus: flavor.vcpus * 1e9,
      PidsLimit: 4096,
      ShmSize: Math.max(64, Math.floor(flavor.ram / 4)) * MB,
      RestartPolicy: { Name: 'unless-stopped' },
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': temporary(64, image.owner), '/run': temporary(16, image.owner) },
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
      Mounts: mounts(spec),
      NetworkMode: network,
      PortBindings: published === undefined ? {} : { [port]: [{ HostIp: published, HostPort: String(publicPort) }] },
    },
    NetworkingConfig: { EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: spec.address } } } },
  };
}

/** The guest's by owner: the mode is that of the folder in the image, whatever is asked for. */
function temporary(megabytes: number, { uid, gid }: Owner): string {
  return `rw,nosuid,nodev,noexec,size=${megabytes}m,uid=${uid},gid=${gid}`;
}

function mounts(spec: ServerSpec): MountSettings[] {
  const own = {
    [LABELS.kind]: 'root',
    [LABELS.deployment]: spec.deploymentId,
    [LABELS.instance]: spec.instanceId,
    [LABELS.server]: spec.id,
    [LABELS.token]: spec.token,
  };
  const root: MountSettings = {
    Type: 'volume',
    Source: names.root(spec.id, spec.generation),
    Target: PATHS.root,
    VolumeOptions: { NoCopy: true, Labels: own, DriverConfig: { Name: 'local', Options: {} } },
  };
  if (spec.volumeId === null) return [root];
  const { Source, Target } = volumeMount(spec.volumeId);
  const VolumeOptions = { NoCopy: true, Labels: {}, DriverConfig: { Name: 'local', Options: {} } };
  return [root, { Type: 'volume', Source, Target, VolumeOptions }];
}

function volumeMount(volumeId: string): { Source: string; Target: string } {
  return { Source: names.volume(volumeId), Target: PATHS.volume };
}

/** The agent's arguments: the files that it reads, what stands in `conf.d` after the others, and what it knows of its server. */
export function agentArguments(files: InjectedFiles): readonly string[] {
  const isAddition = (name: string): number => (name.includes('/conf.d/') ? 1 : 0);
  const config = Object.keys(files)
    .filter((name) => name.endsWith('.conf'))
    .toSorted((a, b) => isAddition(a) - isAddition(b) || (a < b ? -1 : 1));
  return [
    ...config.flatMap((name) => ['--config-file', `${PATHS.root}/${PATHS.files}${name}`]),
    '--server-file',
    `${PATHS.root}/${PATHS.serverFile}`,
  ];
}

/** What is put on a new root before the agent starts. The guest owns its files, so that its agent can replace them. */
export function rootEntries(
  spec: ServerSpec,
  image: GuestImage,
  files: InjectedFiles,
  volumeSize: number | null,
): readonly ArchiveEntry[] {
  const { owner } = image;
  const folder = (name: string): ArchiveEntry => ({ kind: 'folder', name, owner, mode: 0o700 });
  const folders = new Set<string>([PATHS.files]);
  for (const name of Object.keys(files)) {
    const parts = name.split('/').slice(1, -1);
    for (const [index] of parts.entries()) folders.add([PATHS.files, ...parts.slice(0, index + 1)].join('/'));
  }
  return [
    ...[...folders].map(folder),
    folder('run'),
    ...(spec.volumeId === null ? [folder(PATHS.data)] : []),
    ...Object.entries(files).map(
      ([name, text]): ArchiveEntry => ({ kind: 'file', name: PATHS.files + name, owner, mode: 0o600, text }),
    ),
    { kind: 'file', name: PATHS.serverFile, owner: ROOT, mode: 0o644, text: serverFacts(spec, image, volumeSize) },
  ];
}

export function dataEntry({ owner }: GuestImage): ArchiveEntry {
  return { kind: 'folder', name: PATHS.data, owner, mode: 0o700 };
}

/** What a real server would find out about itself; the agent has nothing else to go by. */
function serverFacts(spec: ServerSpec, image: GuestImage, volumeSize: number | null): string {
  const facts = {
    address: spec.address,
    port: spec.port,
    // A folder of the mount, and not the mount: the agent measures it instead of asking the host's disk.
    volume_dir: `${spec.volumeId === null ? PATHS.root : PATHS.volume}/${PATHS.data}`,
    volume_size: volumeSize,
    root_dir: PATHS.root,
    bin_dir: image.binDir,
    manager: image.manager,
    version: image.version,
    account: null,
  };
  return `${JSON.stringify(facts, null, 2)}\n`;
}
