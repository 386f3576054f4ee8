import Table from 'cli-table3';

const ASCII = {
  top: '-',
  'top-mid': '+',
  'top-left': '+',
  'top-right': '+',
  bottom: '-',
  'bottom-mid': '+',
  'bottom-left': '+',
  'bottom-right': '+',
  left: '|',
  'left-mid': '+',
  mid: '-',
  'mid-mid': '+',
  right: '|',
  'right-mid': '+',
  middle: '|',
};

/** A table with lines around it and one under its head, as the OpenStack clients print; ends with a newline. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({ head: [...head], chars: ASCII, style: { head: [], border: [], compact: false } });
  table.push(...rows.map((row) => row.map(printable)));
  const lines = table.toString().split('\n');
  const rules = lines.flatMap((line, index) => (line.startsWith('+') ? [index] : []));
  const kept = new Set([rules[0], rules[1], rules.at(-1)]);
  return `${lines.filter((line, index) => !line.startsWith('+') || kept.has(index)).join('\n')}\n`;
}

/** A name from a database may hold anything; a terminal must not obey it. */
export function printable(text: string): string {
  return Array.from(text, (character) => (isControl(character) ? escaped(character) : character)).join('');
}

function isControl(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

function escaped(character: string): string {
  return `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`;
}

export function propertyTable(properties: Readonly<Record<string, string>>): string {
  return renderTable(
    ['Property', 'Value'],
    Object.keys(properties)
      .sort()
      .map((name) => [name, properties[name] ?? '']),
  );
}
