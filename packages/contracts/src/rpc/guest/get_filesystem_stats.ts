import { Type } from 'typebox';
import { defineMethod } from '../method.ts';

/** The volume's size and use: blocks as the file system counts them; `total`, `free`, `used` in GB (Trove's names). */
export const get_filesystem_stats = defineMethod({
  name: 'get_filesystem_stats',
  args: Type.Object(
    { fs_path: Type.Optional(Type.Union([Type.String(), Type.Null()])) },
    { additionalProperties: false },
  ),
  result: Type.Object({
    block_size: Type.Number(),
    total_blocks: Type.Number(),
    free_blocks: Type.Number(),
    avail_blocks: Type.Optional(Type.Number()),
    total: Type.Number(),
    free: Type.Number(),
    used: Type.Number(),
  }),
});
