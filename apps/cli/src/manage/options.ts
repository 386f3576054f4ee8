import { defineOptions, sharedOptions } from '@trove/common';

/** What `trove-manage` reads. */
export const manageOptions = defineOptions([sharedOptions.database_connection]);
