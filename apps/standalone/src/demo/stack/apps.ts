import { join } from 'node:path';

/** The folder with all apps, for starting their programs. */
export const APPS = join(import.meta.dirname, '..', '..', '..', '..');
