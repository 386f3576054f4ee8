import { volumeStats } from '../volume_stats.ts';
import type { PlainMethod } from './method.ts';

/** `fs_path` is Trove's mount point on its own guests; here there is one volume, and its figures are meant. */
export const get_filesystem_stats: PlainMethod<'get_filesystem_stats'> = (context) => volumeStats(context.facts);
