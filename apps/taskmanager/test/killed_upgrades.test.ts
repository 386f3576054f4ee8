import { killedAtEach, UPGRADES } from './killed_at_each.ts';

killedAtEach('killed_upgrades.test.ts', (kind) => UPGRADES.has(kind));
