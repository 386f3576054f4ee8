import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Labels = Readonly<Record<string, string>>;

/** One reading of a gauge. */
export interface Reading {
  readonly labels: Labels;
  readonly value: number;
}

/**
 * What a service counts, for Prometheus. The same name again is the same metric, so services of one process share them.
 * Label values are of small closed sets: reasons, methods, codes; never an id, never a tenant's text.
 */
export interface Metrics {
  count(name: string, help: string, labels: Labels, by?: number): void;
  /** A duration, in seconds. */
  observe(name: string, help: string, labels: Labels, seconds: number): void;
  /** Read when the page is asked for, at most once in 10 s; a reading that fails leaves its gauge out. */
  gauge(name: string, help: string, labelNames: readonly string[], read: () => Promise<readonly Reading[]>): void;
  page(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const READ_EVERY_MS = 10_000;
const READ_PATIENCE_MS = 3000;
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180];

/** @param options.process also measures the process itself: CPU, memory, event loop, garbage collection */
export function createMetrics(options: { readonly process?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (options.process === true) collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const histograms = new Map<string, Histogram>();
  const readers: (() => Promise<void>)[] = [];
  const common = (name: string, help: string, labels: Labels) => ({
    ...{ name, help, labelNames: Object.keys(labels) },
    registers: [registry],
  });
  return {
    count(name, help, labels, by = 1) {
      const counter = counters.get(name) ?? new Counter(common(name, help, labels));
      counters.set(name, counter);
      counter.inc({ ...labels }, by);
    },
    observe(name, help, labels, seconds) {
      const histogram = histograms.get(name) ?? new Histogram({ ...common(name, help, labels), buckets: SECONDS });
      histograms.set(name, histogram);
      histogram.observe({ ...labels }, seconds);
    },
    gauge(name, help, labelNames, read) {
      const known = registry.getSingleMetric(name);
      const gauge =
        known instanceof Gauge ? known : new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
      readers.push(gaugeReader(gauge, read));
    },
    async page() {
      await Promise.all(readers.map((read) => read()));
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

function gaugeReader(gauge: Gauge, read: () => Promise<readonly Reading[]>): () => Promise<void> {
  let shown: readonly Reading[] = [];
  let readAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - readAt < READ_EVERY_MS) return;
    readAt = performance.now();
    const readings = await within(read());
    for (const { labels } of shown) gauge.remove({ ...labels });
    shown = readings ?? [];
    for (const { labels, value } of shown) gauge.set({ ...labels }, value);
  };
}

/** Nothing where it fails or takes too long: a page without one gauge is better than none. */
async function within(readings: Promise<readonly Reading[]>): Promise<readonly Reading[] | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), READ_PATIENCE_MS);
  try {
    return await Promise.race([readings.catch(() => undefined), promise]);
  } finally {
    clearTimeout(timer);
  }
}
