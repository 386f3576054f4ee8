/** One of Trove's DATETIME columns as the API shows it: UTC, `2024-05-01T10:20:30`. */
export function troveTime(column: string | null): string | null {
  return column === null ? null : column.replace(' ', 'T');
}
