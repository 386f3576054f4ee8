import { type ConfigOf, defineOptions, sharedOptions } from '@trove/common';

/** What `trove-manage` reads. */
export const manageOptions = defineOptions([
  sharedOptions.database_connection,
  sharedOptions.compute_driver,
  sharedOptions.compute_local_root,
  sharedOptions.compute_local_flavors_file,
  sharedOptions.compute_local_image,
  sharedOptions.compute_docker_flavors_file,
  sharedOptions.compute_docker_image,
  sharedOptions.taskmanager_rpc_encr_key,
  sharedOptions.inst_rpc_key_encr_key,
  sharedOptions.inst_rpc_uplink_encr_key,
  sharedOptions.allow_published_keys,
  sharedOptions.at_rest_format,
]);

export type ManageConfig = ConfigOf<typeof manageOptions>;
