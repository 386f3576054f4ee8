/** Which versions of a database serve the data of which others, in place. */
export interface VersionRules {
  /** How many of its numbers name a version's series, within which data stays as it is: 1 for `18.4`, 2 for `8.0.43`. */
  readonly seriesParts: (major: number) => 1 | 2;
  /** Steps to another series that the server takes by itself when it starts, from one to others. */
  readonly majorSteps: Readonly<Record<string, readonly string[]>>;
  /** Whether an earlier version of the series serves what a later one has written. */
  readonly backInSeries: boolean;
}

/** Whether data of version `from` may be handed to `to`. A number that one of the two leaves out is any. */
export function mayStep(rules: VersionRules, from: string, to: string): boolean {
  const [before, after] = [numbersOf(from), numbersOf(to)];
  const [series, wanted] = [seriesOf(rules, before), seriesOf(rules, after)];
  if (series === undefined || wanted === undefined) return false;
  if (series !== wanted) return rules.majorSteps[series]?.includes(wanted) === true;
  return rules.backInSeries || !isEarlier(after, before);
}

function numbersOf(version: string): readonly number[] {
  return (/\d+(?:\.\d+)*/.exec(version)?.[0] ?? '').split('.').filter(Boolean).map(Number);
}

/** Undefined where the version does not say. */
function seriesOf({ seriesParts }: VersionRules, numbers: readonly number[]): string | undefined {
  const [major] = numbers;
  if (major === undefined) return undefined;
  const parts = numbers.slice(0, seriesParts(major));
  return parts.length < seriesParts(major) ? undefined : parts.join('.');
}

function isEarlier(one: readonly number[], other: readonly number[]): boolean {
  const length = Math.min(one.length, other.length);
  for (let index = 0; index < length; index += 1) {
    const difference = (one[index] ?? 0) - (other[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
