import type { Flavor } from '../driver.ts';

export const LABELS = {
  kind: 'trove.kind',
  deployment: 'trove.deployment',
  instance: 'trove.instance',
  project: 'trove.project',
  token: 'trove.token',
  server: 'trove.server',
  generation: 'trove.generation',
  image: 'trove.image',
  flavor: 'trove.flavor',
  volume: 'trove.volume',
  snapshot: 'trove.snapshot',
  address: 'trove.address',
  port: 'trove.port',
  publicPort: 'trove.public_port',
  size: 'trove.size',
  ram: 'trove.ram',
} as const;

export type Labels = Readonly<Record<string, string>>;

/** What there is of a server beside its state; it stands in its container's labels, and nowhere else. */
export interface ServerSpec {
  readonly id: string;
  readonly token: string;
  readonly deploymentId: string;
  readonly instanceId: string;
  readonly projectId: string;
  readonly generation: string;
  readonly imageId: string;
  readonly flavor: Flavor;
  readonly volumeId: string | null;
  readonly address: string;
  /** The database's own. */
  readonly port: number;
  readonly publicPort: number | null;
}

export function serverLabels(spec: ServerSpec): Labels {
  return {
    [LABELS.kind]: 'server',
    [LABELS.deployment]: spec.deploymentId,
    [LABELS.instance]: spec.instanceId,
    [LABELS.project]: spec.projectId,
    [LABELS.token]: spec.token,
    [LABELS.server]: spec.id,
    [LABELS.generation]: spec.generation,
    [LABELS.image]: spec.imageId,
    [LABELS.flavor]: JSON.stringify(spec.flavor),
    [LABELS.volume]: spec.volumeId ?? '',
    [LABELS.address]: spec.address,
    [LABELS.port]: String(spec.port),
    [LABELS.publicPort]: spec.publicPort === null ? '' : String(spec.publicPort),
  };
}

/** The labels of a container of ours, read back. */
export function specOf(labels: Labels): ServerSpec {
  const text = (name: keyof typeof LABELS): string => labels[LABELS[name]] ?? '';
  return {
    id: text('server'),
    token: text('token'),
    deploymentId: text('deployment'),
    instanceId: text('instance'),
    projectId: text('project'),
    generation: text('generation'),
    imageId: text('image'),
    flavor: JSON.parse(text('flavor')) as Flavor,
    volumeId: text('volume') === '' ? null : text('volume'),
    address: text('address'),
    port: Number(text('port')),
    publicPort: text('publicPort') === '' ? null : Number(text('publicPort')),
  };
}

/** The engine's filter for things with these labels. */
export function labelled(labels: Partial<Record<keyof typeof LABELS, string>>): { label: string[] } {
  return {
    label: Object.entries(labels).map(([name, value]) => `${LABELS[name as keyof typeof LABELS]}=${value}`),
  };
}
