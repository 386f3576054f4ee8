import { type ConfigOf, defineOptions, sharedOptions } from '@trove/common';

/** What `trove-manage` reads. */
export const manageOptions = defineOptions([
  sharedOptions.database_connection,
  sharedOptions.compute_driver,
  sharedOptions.compute_local_root,
  sharedOptions.compute_local_flavors_file,
  sharedOptions.compute_local_image,
]);

export type ManageConfig = ConfigOf<typeof manageOptions>;
