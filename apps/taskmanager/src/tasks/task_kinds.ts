import type { TaskKind } from '@trove/tasks';
import { reconcileInstance } from '../reconcile/reconcile_instance.ts';
import { createInstance } from './create_instance/index.ts';
import { deleteInstance } from './delete_instance/index.ts';
import { resizeFlavor } from './resize_flavor/index.ts';
import { resizeVolume } from './resize_volume/index.ts';
import { restartInstance } from './restart_instance/index.ts';
import { rotateKey } from './rotate_key/index.ts';
import type { TaskTools } from './shared/tools.ts';
import { rebuildInstance, upgradeInstance } from './upgrade_instance/index.ts';

/** Every kind of task that this release can do. */
export function taskKinds(tools: TaskTools): readonly TaskKind[] {
  return [
    createInstance(tools),
    deleteInstance(tools),
    upgradeInstance(tools),
    rebuildInstance(tools),
    restartInstance(tools),
    resizeFlavor(tools),
    resizeVolume(tools),
    rotateKey(tools),
    reconcileInstance(tools),
  ];
}
