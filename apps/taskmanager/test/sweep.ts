import type { TestCatalog } from '@trove/catalog/testing';
import { checkEnd } from './check_end.ts';
import { openHouse, openTestCatalog } from './house.ts';
import { Run, type Visit } from './mortal_worker.ts';
import { begin, type Scenario } from './scenario.ts';
import { openWorkers } from './worker.ts';

/** A catalog for many lives; a power cut is not what is tried here. */
export async function sweptCatalog(dialect: 'mysql' | 'sqlite' = 'sqlite'): Promise<TestCatalog> {
  const catalog = await openTestCatalog(dialect);
  if (dialect === 'sqlite') await catalog.knex.raw('PRAGMA synchronous = OFF');
  return catalog;
}

interface Death {
  /** Said where something does not hold. */
  readonly again: string;
  /** A boundary by its name, or by the point that was passed last; absent: nobody dies. */
  readonly diesAt?: string | ((where: string) => boolean);
  readonly onVisit?: (visit: Visit) => void;
}

/** One life of a scenario's task, whose first worker dies once, if it comes to it, and another takes over. */
export async function live(catalog: TestCatalog, scenario: Scenario, death: Death): Promise<Run> {
  const { again, diesAt, onVisit } = death;
  const house = openHouse(catalog);
  const workers = openWorkers(house);
  try {
    const filed = await begin(house, workers, scenario);
    const run = new Run(house, workers, scenario, filed);
    const died = await run.mortal((visit) => {
      onVisit?.(visit);
      return typeof diesAt === 'function' ? diesAt(visit.where) : nameOf(visit) === diesAt;
    });
    if (died) await run.takeOver();
    await checkEnd(house, scenario, filed, again);
    return run;
  } finally {
    await workers.close();
    await house.dispose();
  }
}

/** A life without a death: each boundary that it came to, and the points of its steps. */
export async function peaceful(
  catalog: TestCatalog,
  scenario: Scenario,
): Promise<{ visits: Visit[]; points: ReadonlySet<string> }> {
  const visits: Visit[] = [];
  const { points } = await live(catalog, scenario, {
    again: `${scenario.name}, and nobody died`,
    onVisit: (visit) => visits.push(visit),
  });
  return { visits, points };
}

/** Nothing happens between the end of one act and the beginning of the next: whoever dies there leaves the same. */
export function deathsOf(visits: readonly Visit[]): string[] {
  const isEnd = (visit: Visit | undefined): boolean => visit?.what.startsWith('after') === true;
  const told = visits.filter((visit, index) => isEnd(visit) || !isEnd(visits[index - 1]));
  return [...new Set(told.filter(({ isOwn }) => isOwn).map(nameOf))];
}

function nameOf({ where, what }: Visit): string {
  return `${where}, ${what}`;
}
