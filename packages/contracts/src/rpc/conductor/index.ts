import { heartbeat } from './heartbeat.ts';
import { report_root } from './report_root.ts';
import { update_backup } from './update_backup.ts';

/** What a conductor takes from guests. */
export const conductorApi = { heartbeat, update_backup, report_root } as const;

export type ConductorApi = typeof conductorApi;
