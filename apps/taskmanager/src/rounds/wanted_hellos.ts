import { type Catalog, claimWantedHellos } from '@trove/catalog';
import type { Logger } from '@trove/common';
import type { GuestHello } from '../guests/guest_hello.ts';
import { forEachOf } from './round.ts';

const AT_ONCE = 16;
const PER_TURN = 200;
const ANSWER_WITHIN_MS = 5000;

/** Greets the guests whose reports come from a boot that nobody has asked about. One that does not answer is wanted again by its next report. */
export async function greetWanted(deps: { catalog: Catalog; hello: GuestHello; logger: Logger }): Promise<void> {
  const wanted = await claimWantedHellos(deps.catalog, PER_TURN);
  await forEachOf(wanted, AT_ONCE, async (instanceId) => {
    try {
      await deps.hello.greet(instanceId, { pending: false, deadlineMs: ANSWER_WITHIN_MS });
    } catch (error) {
      deps.logger.info('a guest was not greeted', { instance_id: instanceId, error });
    }
  });
}
