/** One figure of one contender, taken once per round; the report quotes medians. */
export interface Sample {
  readonly contender: string;
  readonly figures: Readonly<Record<string, number>>;
}

/** What one benchmark measured: per contender the median of each figure over the rounds. */
export interface Measurement {
  readonly name: string;
  /** What was run and with what: sizes, counts, in flight. */
  readonly conditions: string;
  readonly rounds: number;
  readonly medians: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /**
   * `<figure>: <contender> / <baseline>`, from the medians of the pairwise ratios of each round; of the figures that both have.
   */
  readonly ratios: Readonly<Record<string, number>>;
}

export interface Contender {
  readonly name: string;
  /** One round. The figures' names carry their unit: `calls/s`, `p50 ms`. */
  run(): Promise<Readonly<Record<string, number>>>;
}

/**
 * Runs the contenders in turn, round by round, after one round that is not counted, so that a drift of the machine's speed
 * meets all of them. The first contender is the baseline that the others are divided by.
 */
export async function measure(options: {
  readonly name: string;
  readonly conditions: string;
  readonly rounds: number;
  /** Default true; false for what takes long and does not get quicker. */
  readonly warmUp?: boolean;
  readonly contenders: readonly Contender[];
}): Promise<Measurement> {
  const rounds: Sample[][] = [];
  for (let round = options.warmUp === false ? 0 : -1; round < options.rounds; round += 1) {
    const samples: Sample[] = [];
    for (const contender of options.contenders) {
      samples.push({ contender: contender.name, figures: await contender.run() });
    }
    if (round >= 0) rounds.push(samples);
  }
  return {
    name: options.name,
    conditions: options.conditions,
    rounds: options.rounds,
    medians: mediansOf(rounds, options.contenders),
    ratios: ratiosOf(rounds, options.contenders),
  };
}

function mediansOf(rounds: readonly Sample[][], contenders: readonly Contender[]): Measurement['medians'] {
  return Object.fromEntries(
    contenders.map(({ name }) => {
      const own = rounds.flat().filter((sample) => sample.contender === name);
      const figures = Object.keys(own[0]?.figures ?? {});
      return [
        name,
        Object.fromEntries(
          figures.map((figure) => [figure, median(own.map((sample) => sample.figures[figure] ?? Number.NaN))]),
        ),
      ];
    }),
  );
}

function ratiosOf(rounds: readonly Sample[][], contenders: readonly Contender[]): Record<string, number> {
  const [baseline, ...others] = contenders;
  const ratios: Record<string, number> = {};
  for (const other of others) {
    const figuresOf = (name: string | undefined) =>
      Object.keys(rounds[0]?.find((sample) => sample.contender === name)?.figures ?? {});
    const baselines = figuresOf(baseline?.name);
    for (const figure of figuresOf(other.name).filter((name) => baselines.includes(name))) {
      const pairs = rounds.map((samples) => {
        const value = (name: string) =>
          samples.find((sample) => sample.contender === name)?.figures[figure] ?? Number.NaN;
        return value(other.name) / value(baseline?.name ?? '');
      });
      ratios[`${figure}: ${other.name} / ${baseline?.name}`] = median(pairs);
    }
  }
  return ratios;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2;
}

/** The value below which `share` (0 to 1) of the values lie. */
function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/**
 * Keeps `inFlight` calls going for `ms` and counts those that end within it: calls per second and latency in ms.
 * A call that fails ends the measurement with its error.
 */
export async function loadFor(
  ms: number,
  inFlight: number,
  call: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const latencies: number[] = [];
  const start = performance.now();
  const worker = async (): Promise<void> => {
    for (let before = performance.now(); before - start < ms; before = performance.now()) {
      await call();
      latencies.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const seconds = (performance.now() - start) / 1000;
  return {
    'per s': latencies.length / seconds,
    'p50 ms': percentile(latencies, 0.5),
    'p99 ms': percentile(latencies, 0.99),
  };
}
