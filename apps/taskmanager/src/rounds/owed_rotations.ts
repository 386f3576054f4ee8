import { type Catalog, owedRotations } from '@trove/catalog';
import { isTroveError, type Logger } from '@trove/common';
import { fileRotation, ROTATION } from '../tasks/rotate_key/file_rotation.ts';

const PER_TURN = 20;
const PAUSE_MS = 3_600_000;

export interface OwedRotationsDeps {
  readonly catalog: Catalog;
  readonly logger: Logger;
  /** A guest that has reported within this time can agree on a key. */
  readonly heardWithinMs: number;
}

/**
 * An upgrade that was undone has put the present key and password into its server's files again, where a compute service shows
 * them to more than the guest: both are changed as soon as the guest is heard of.
 */
export async function fileOwedRotations({ catalog, logger, heardWithinMs }: OwedRotationsDeps): Promise<void> {
  const query = { kind: ROTATION.kind, pauseMs: PAUSE_MS, limit: PER_TURN, heardWithinMs };
  for (const instanceId of await owedRotations(catalog.knex, query)) {
    try {
      await fileRotation(catalog, instanceId);
      logger.info('a key that stands in the files of a server is changed', { instance_id: instanceId });
    } catch (error) {
      // Somebody else has filed it meanwhile, or another task.
      if (!isTroveError(error, 'UNPROCESSABLE') && !isTroveError(error, 'NOT_FOUND')) throw error;
    }
  }
}
