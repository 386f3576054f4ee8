import { type DatabaseBigint, toBigint } from '@trove/catalog';

/** One of Trove's DATETIME columns as the API shows it: UTC, `2024-05-01T10:20:30`. */
export function troveTime(column: string | null): string | null {
  return column === null ? null : column.replace(' ', 'T');
}

/** One of our columns, epoch microseconds, in the same form. */
export function timeOf(column: DatabaseBigint): string {
  return new Date(Number(toBigint(column) / 1000n)).toISOString().slice(0, 19);
}
