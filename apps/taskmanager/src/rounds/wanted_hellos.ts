import { type Catalog, claimWantedHellos } from '@trove/catalog';
import { isTroveError, type Logger } from '@trove/common';
import type { GuestHello } from '../guests/guest_hello.ts';
import type { GuestKeys } from '../guests/guest_keys.ts';
import { fileRotation } from '../tasks/rotate_key/file_rotation.ts';
import { forEachOf } from './round.ts';

const AT_ONCE = 16;
const PER_TURN = 200;
const ANSWER_WITHIN_MS = 5000;

export interface WantedHellosDeps {
  readonly catalog: Catalog;
  readonly hello: GuestHello;
  readonly keys: Pick<GuestKeys, 'leftVersion'>;
  readonly logger: Logger;
}

/**
 * Greets the guests whose reports come from a boot that nobody has asked about. One that does not answer is wanted again by
 * its next report. Where a rotation of its key was given up, it is first brought to its end: the guest may have changed.
 */
export async function greetWanted(deps: WantedHellosDeps): Promise<void> {
  const wanted = await claimWantedHellos(deps.catalog, PER_TURN);
  await forEachOf(wanted, AT_ONCE, async (instanceId) => {
    try {
      if (await takeUpRotation(deps, instanceId)) return;
      await deps.hello.greet(instanceId, { deadlineMs: ANSWER_WITHIN_MS });
    } catch (error) {
      deps.logger.info('a guest was not greeted', { instance_id: instanceId, error });
    }
  });
}

/** True where a task sees to it. */
async function takeUpRotation({ catalog, keys, logger }: WantedHellosDeps, instanceId: string): Promise<boolean> {
  if ((await keys.leftVersion(instanceId)) === null) return false;
  try {
    await fileRotation(catalog, instanceId);
    logger.info("the change of a guest's key is taken up again", { instance_id: instanceId });
    return true;
  } catch (error) {
    // Another task has the instance: that one may be the rotation, and greets the guest itself.
    if (isTroveError(error, 'UNPROCESSABLE')) return false;
    throw error;
  }
}
