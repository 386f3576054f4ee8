import { TroveError } from '@trove/common';
import type { Owner } from './archive.ts';
import type { Engine } from './engine.ts';

/** What a guest image says of itself, by its labels and its user. */
export interface GuestImage {
  /** The engine's own id of it: what a container is made from, whatever the name means later. */
  readonly id: string;
  readonly manager: string;
  readonly version: string;
  readonly port: number;
  readonly binDir: string;
  readonly owner: Owner;
}

/** `IMAGE_NOT_FOUND` where the engine has no such image, or one that is none of ours; the cause says what is wrong with it. */
export async function inspectGuestImage(engine: Engine, reference: string, signal: AbortSignal): Promise<GuestImage> {
  const found = await engine.find((docker) => docker.getImage(reference).inspect(), { signal });
  if (found === undefined) throw unusable(engine, reference, 'is not on this host: pull or load it there');
  const labels = found.Config.Labels ?? {};
  const text = (name: string): string => labels[`trove.guest.${name}`] ?? '';
  const [manager, version, port, binDir] = [text('manager'), text('version'), Number(text('port')), text('bin_dir')];
  const missing = ['manager', 'version', 'port', 'bin_dir'].filter((name) => text(name) === '');
  if (missing.length > 0)
    throw unusable(engine, reference, `has no label ${missing.map((name) => `trove.guest.${name}`).join(', ')}`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw unusable(engine, reference, 'has a label trove.guest.port that is no port');
  const owner = ownerOf(found.Config.User ?? '');
  if (owner === undefined) throw unusable(engine, reference, 'needs a USER of <uid>:<gid> that is not root');
  return { id: found.Id, manager, version, port, binDir, owner };
}

/** In numbers, since what is injected belongs to it before the image's own files can be asked. */
function ownerOf(user: string): Owner | undefined {
  const [, uid, gid] = /^(\d+):(\d+)$/.exec(user) ?? [];
  const owner = { uid: Number(uid), gid: Number(gid) };
  return owner.uid > 0 && owner.gid > 0 ? owner : undefined;
}

function unusable(engine: Engine, reference: string, why: string): TroveError {
  const cause = new Error(`image ${reference} on host ${engine.host.name} ${why}`);
  return new TroveError('IMAGE_NOT_FOUND', 'The image is not one that its host can make a server from.', { cause });
}
