import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { newUuid } from '@trove/common';
import { type DockerEngine, provideDockerEngine } from '@trove/testkit';
import Docker from 'dockerode';
import { afterAll, test } from 'vitest';
import type { ServerInside } from '../src/conformance.ts';
import { archiveOf, filesOf } from '../src/docker/archive.ts';
import { DockerCompute, type DockerComputeConfig } from '../src/docker/docker_compute.ts';
import { dockerHosts } from '../src/docker/docker_hosts.ts';
import { dockerImages } from '../src/docker/docker_images.ts';
import { openEngines } from '../src/docker/engine.ts';
import type { CreateVolume, Server } from '../src/driver.ts';

/** What a guest image has to have, from this machine's own programs: nothing is pulled from anywhere. */
const PROGRAMS = ['sh', 'cp', 'mv', 'rm', 'sync', 'sleep', 'touch'];
const AGENT = 'trap "exit 0" TERM; while :; do sleep 1 & wait $!; done';
const GUEST = { uid: 10_001, gid: 10_001 };
const FOLDERS = { root: '/var/lib/trove/root/run', volume: '/var/lib/trove/volume/data' };

/** Engines with two guest images each, and everything that the drivers on them made, to be taken away at the end. */
export interface DockerWorld {
  readonly config: DockerComputeConfig;
  /** The images' ids, as datastore versions would have them. */
  readonly imageIds: readonly string[];
  readonly inside: ServerInside;
  open(change?: Partial<DockerComputeConfig>): Promise<DockerCompute>;
  /** The engine that a server's host is, past the driver. */
  dockerOf(host: string): Docker;
  dispose(): Promise<void>;
}

export interface DockerWorldOptions {
  /** Sockets of the engines, by host: what the test itself uses. */
  readonly sockets: Readonly<Record<string, string>>;
  readonly config: Partial<DockerComputeConfig> & Pick<DockerComputeConfig, 'host' | 'subnet'>;
}

/** Hands a suite an engine of this machine; where there can be none, the run says so and why. */
export async function onDockerEngine(suite: (engine: DockerEngine) => Promise<void>): Promise<void> {
  const engine = await provideDockerEngine();
  if ('missing' in engine) return tellNotRun(engine.missing);
  afterAll(() => engine.stop());
  await suite(engine);
}

/** Shows as a test that was not run, with the reason, also in the sum of all. */
export function tellNotRun(reason: string): void {
  process.stderr.write(`not run, on Docker: ${reason}\n`);
  test(`on Docker: ${reason}`, ({ skip }) => skip(reason));
}

export async function dockerWorld({ sockets, config: given }: DockerWorldOptions): Promise<DockerWorld> {
  const run = newUuid().slice(0, 8);
  const dockers = new Map(
    Object.entries(sockets).map(([host, url]) => [host, new Docker({ socketPath: url.slice('unix://'.length) })]),
  );
  const tags = ['1.0', '2.0'].map((version) => `trove-test-guest-${run}:${version}`);
  const images = Object.fromEntries(tags.map((tag) => [newUuid(), `mariadb ${tag.split(':')[1]} ${tag}`]));
  for (const docker of dockers.values()) for (const tag of tags) await makeGuestImage(docker, tag);
  const config: DockerComputeConfig = {
    zone: {},
    public_address: {},
    ports: '20000-29999',
    network: `trove-test-${run}`,
    flavors_file: '/nowhere/flavors.json',
    image: images,
    ...given,
  };
  const made: { driver: DockerCompute; volumeId: string }[] = [];
  const dockerOf = (host: string): Docker => {
    const docker = dockers.get(host);
    if (docker === undefined) throw new Error(`there is no engine ${host}`);
    return docker;
  };
  return {
    config,
    imageIds: Object.keys(images),
    inside: insideOf(dockerOf),
    dockerOf,
    async open(change = {}) {
      const changed = { ...config, ...change };
      const files = { ca: changed.ca_file, cert: changed.cert_file, key: changed.key_file };
      const engines = await openEngines(dockerHosts(changed), files);
      return new RememberingCompute(made, engines, dockerImages(changed.image), changed);
    },
    async dispose() {
      const signal = new AbortController().signal;
      for (const { driver, volumeId } of made) await driver.deleteVolume(volumeId, signal);
      for (const docker of dockers.values()) {
        for (const tag of tags) await docker.getImage(tag).remove({ force: true });
        await docker.getNetwork(config.network).remove().catch(ifNone);
      }
    },
  };
}

/** The conformance suite leaves volumes; they are found by who made them. */
class RememberingCompute extends DockerCompute {
  readonly #made: { driver: DockerCompute; volumeId: string }[];

  constructor(
    made: { driver: DockerCompute; volumeId: string }[],
    ...given: ConstructorParameters<typeof DockerCompute>
  ) {
    super(...given);
    this.#made = made;
  }

  override async createVolume(request: CreateVolume, signal: AbortSignal): Promise<{ volumeId: string }> {
    const volume = await super.createVolume(request, signal);
    this.#made.push({ driver: this, ...volume });
    return volume;
  }
}

/** The container that a server is in now. */
export async function containerOf(docker: Docker, server: Server): Promise<Docker.Container> {
  const filters = { label: [`trove.server=${server.id}`, 'trove.kind=server'] };
  const [found] = await docker.listContainers({ all: true, filters });
  if (found === undefined) throw new Error(`server ${server.id} has no container`);
  return docker.getContainer(found.Id);
}

/** Runs a program inside and resolves to how it ended. */
export async function runInside(container: Docker.Container, ...Cmd: string[]): Promise<number | null> {
  const exec = await container.exec({ Cmd });
  await exec.start({ Detach: true });
  for (;;) {
    const { Running, ExitCode } = await exec.inspect();
    if (!Running) return ExitCode;
  }
}

function insideOf(dockerOf: (host: string) => Docker): ServerInside {
  return {
    async write(server, where, name, text) {
      const container = await containerOf(dockerOf(server.host), server);
      const tar = await archiveOf([{ kind: 'file', name, text, owner: GUEST, mode: 0o600 }]);
      await container.putArchive(tar, { path: FOLDERS[where] });
    },
    async read(server, where, name) {
      const container = await containerOf(dockerOf(server.host), server);
      const tar = await container.getArchive({ path: `${FOLDERS[where]}/${name}` }).catch(ifNone);
      return tar === undefined ? undefined : (await filesOf(tar))[name];
    },
  };
}

function ifNone(error: unknown): undefined {
  if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return undefined;
  throw error;
}

async function makeGuestImage(docker: Docker, tag: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'trove-guest-image-'));
  try {
    for (const name of PROGRAMS) copyProgram(folder, execFileSync('which', [name], { encoding: 'utf8' }).trim());
    for (const name of ['bin', 'tmp', 'run', 'var/lib/trove/root', 'var/lib/trove/volume'])
      mkdirSync(join(folder, name), { recursive: true });
    for (const name of PROGRAMS)
      copyFileSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(folder, 'bin', name));
    const tar = execFileSync('tar', ['-C', folder, '-c', '.'], { maxBuffer: 256 * 1024 * 1024 });
    const [repo, version = ''] = tag.split(':');
    const changes = [
      `LABEL trove.guest.manager=mariadb trove.guest.version=${version} trove.guest.port=3306 trove.guest.bin_dir=/usr/sbin`,
      `USER ${GUEST.uid}:${GUEST.gid}`,
      'ENV PATH=/bin',
      `ENTRYPOINT ["/bin/sh","-c",${JSON.stringify(AGENT)}]`,
    ];
    await readAll(await docker.importImage(Readable.from([tar]), { repo, tag: version, changes }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The libraries too, where the program looks for them. */
function copyProgram(folder: string, program: string): void {
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  for (const library of libraries) {
    const target = join(folder, library);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(realpathSync(library), target);
  }
}

async function readAll(stream: NodeJS.ReadableStream): Promise<void> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  if (text.includes('errorDetail')) throw new Error(text);
}
