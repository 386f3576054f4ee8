import type { Measurement } from './measure.ts';

/** A measurement as text: a row per contender, medians in columns, then the ratios to the baseline. */
export function table(measurement: Measurement): string {
  const contenders = Object.entries(measurement.medians);
  const figures = [...new Set(contenders.flatMap(([, values]) => Object.keys(values)))];
  const rows = [
    ['', ...figures],
    ...contenders.map(([name, values]) => [name, ...figures.map((figure) => shown(values[figure]))]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map(
    (row) =>
      `  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')}`,
  );
  const ratios = Object.entries(measurement.ratios).map(([name, ratio]) => `  ${name} = ${ratio.toFixed(2)}`);
  const title = `${measurement.name} (median of ${measurement.rounds}; ${measurement.conditions})`;
  return `${[title, ...lines, ...ratios].join('\n')}\n`;
}

function shown(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-';
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
}
