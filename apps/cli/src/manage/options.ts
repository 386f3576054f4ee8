import { defineOptions, sharedOptions } from '@trove/common';

/** What `trove-manage` reads. */
export const manageOptions = defineOptions([
  sharedOptions.database_connection,
  sharedOptions.taskmanager_rpc_encr_key,
  sharedOptions.inst_rpc_key_encr_key,
  sharedOptions.inst_rpc_uplink_encr_key,
  sharedOptions.allow_published_keys,
  sharedOptions.at_rest_format,
]);
