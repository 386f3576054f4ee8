import type { RecordedFinding } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { expect, test } from 'vitest';
import { ReconciledHouse } from '../../test/reconciled_house.ts';
import { planRun } from './plan.ts';

const MINUTE_MICROS = 60_000_000n;
const LIMITS = { graceMs: 900_000, maxActions: 10, dryRun: false };

function removal(name: string, since: bigint): RecordedFinding {
  const tries = { approved: false, tries: 0, triedAt: null };
  return { kind: 'unowned', subject: `volume:${name}`, instanceId: null, detail: '', since, ...tries };
}

/** Hours of runs, a minute apart: what fails stays, what does not goes, and more is found all the time. */
function hours({ failing, perRun }: { failing: number; perRun: number }): { waits: number[]; retries: number[] } {
  const year = 365n * 24n * 60n * MINUTE_MICROS;
  let findings = Array.from({ length: failing }, (_, index) => removal(`fails ${index}`, year));
  const [waits, retries]: [number[], number[]] = [[], []];
  for (let minute = 0n; minute < 600n; minute += 1n) {
    const now = year + 15n * MINUTE_MICROS + minute * MINUTE_MICROS;
    for (let index = 0; index < perRun; index += 1)
      findings.push(removal(`works ${minute} ${index}`, now - 15n * MINUTE_MICROS));
    const state = { now, ranAt: null, heldSince: null, createdAt: 0n, findings };
    const { acts } = planRun(state, LIMITS, { listed: true });
    expect(acts.length).toBeLessThanOrEqual(LIMITS.maxActions);
    findings = findings.flatMap((finding) => {
      if (!acts.includes(finding)) return finding;
      const waited = Number((now - (finding.triedAt ?? finding.since + 15n * MINUTE_MICROS)) / MINUTE_MICROS);
      if (!finding.subject.includes('fails')) {
        waits.push(waited);
        return [];
      }
      if (finding.triedAt !== null) retries.push(waited);
      return { ...finding, tries: finding.tries + 1, triedAt: now };
    });
  }
  return { waits, retries };
}

test.each([
  { failing: 10, perRun: 1, within: 2 },
  { failing: 35, perRun: 4, within: 20 },
])(
  'removals that fail in every run ($failing of them) keep none of the others waiting for long, nor those them',
  ({ failing, perRun, within }) => {
    const { waits, retries } = hours({ failing, perRun });
    expect(waits.length).toBeGreaterThan(perRun * 500);
    expect(Math.max(...waits)).toBeLessThanOrEqual(within);
    expect(retries.length).toBeGreaterThan(100);
    expect(Math.max(...retries)).toBeLessThanOrEqual(within);
  },
);

test.each(['mysql', 'sqlite'] as const)(
  'one that fails goes behind the others, its tries are recorded, and another taskmanager knows it; on %s',
  async (dialect) => {
    const here = await ReconciledHouse.open(dialect);
    try {
      const stuck = await here.volume(await here.deletedInstance(), 'gone');
      await here.run({ dryRun: true });
      const others = [
        await here.volume(await here.deletedInstance(), 'gone'),
        await here.volume(await here.deletedInstance(), 'gone'),
      ];
      const { deleteVolume } = here.house.world;
      here.house.world.deleteVolume = async (id, signal) => {
        if (id === stuck) throw new TroveError('COMPUTE_ERROR', 'in use', { retryable: true });
        await deleteVolume(id, signal);
      };
      for (const left of [3, 2, 1, 1]) {
        await here.run({ maxActions: 1 });
        expect(here.volumes.size).toBe(left);
      }
      expect(others.filter((each) => here.volumes.has(each))).toEqual([]);
      const [finding] = (await here.state()).findings;
      expect(finding).toMatchObject({ subject: `volume:${stuck}`, tries: 2 });
      here.house.world.deleteVolume = deleteVolume;
      await here.run({ maxActions: 1 });
      await here.run({ maxActions: 1 });
      expect([here.volumes.size, await here.found()]).toEqual([0, []]);
    } finally {
      await here.dispose();
    }
  },
  60_000,
);
