/** Reads what the `trove` command printed, as a script that has nothing else would. */

function cellsOf(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The lines of a Property/Value table. */
export function parseProperties(text: string): Record<string, string> {
  const [head, ...lines] = cellsOf(text);
  if (head?.[0] !== 'Property') return {};
  return Object.fromEntries(lines.map(([name = '', value = '']) => [name, value]));
}

/** The rows of a table with a column per field. */
export function parseList(text: string): Record<string, string>[] {
  const [head, ...lines] = cellsOf(text);
  return lines.map((cells) => Object.fromEntries((head ?? []).map((name, index) => [name, cells[index] ?? ''])));
}
