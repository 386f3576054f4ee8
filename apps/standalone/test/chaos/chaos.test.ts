import { expect, it } from 'vitest';
import { FAULTS } from './faults/index.ts';
import { runChaos } from './run.ts';

const SECONDS = 45;
const QUIET_SECONDS = 240;
/** Those that are over soon and from which everything recovers in about one lease; `npm run chaos` makes them all. */
const QUICK = FAULTS.filter(({ seconds, lasting }) => seconds <= 10 && lasting !== true);

it('real processes under load lose no request and do none twice while services, guests, broker and catalog break', {
  timeout: (SECONDS + 3 * QUIET_SECONDS) * 1000,
}, async () => {
  const said: string[] = [];
  const report = await runChaos(
    { seconds: SECONDS, seed: 20, tenants: 5, quietSeconds: QUIET_SECONDS, faults: QUICK, servers: 'shared' },
    (line) => said.push(line),
  );
  expect(report.holds, `${said.join('\n')}\n\n${report.text}\nlogs: ${report.folder}`).toBe(true);
  const acknowledged = report.tallies.reduce((sum, tally) => sum + tally.acknowledged, 0);
  expect(acknowledged, said.join('\n')).toBeGreaterThan(0);
});
