import { type ConfigOf, defineOptions, sharedOptions } from '@trove/common';

/** What `trove-manage` reads. */
export const manageOptions = defineOptions([sharedOptions.database_connection]);

export type ManageConfig = ConfigOf<typeof manageOptions>;
