/** One assignment of an INI file, as written; nothing substituted or converted yet. */
export interface IniEntry {
  section: string;
  name: string;
  value: string;
  /** Counted from 1: the line of the name. */
  line: number;
}

/** A line that is no section, comment, assignment or continuation. */
export class IniSyntaxError extends Error {
  override readonly name = 'IniSyntaxError';
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/**
 * Reads an INI file as oslo.config does: `name = value` or `name: value` (the first of both signs splits), an indented
 * line goes on with the value (joined by a line feed), a blank line or a new name ends it, `#` and `;` begin a comment in
 * the first column only, one pair of quotes around a value is dropped, a repeated name gives a further entry.
 * Section names other than DEFAULT are in lower case. Throws `IniSyntaxError`.
 */
export function parseIni(text: string): IniEntry[] {
  const entries: IniEntry[] = [];
  let section = 'DEFAULT';
  let open: { entry: IniEntry; lines: string[] } | undefined;
  const close = (): void => {
    if (open) entries.push({ ...open.entry, value: open.lines.join('\n') });
    open = undefined;
  };

  for (const [index, rawLine] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = rawLine.trimEnd();
    const number = index + 1;
    if (line === '') {
      close();
    } else if (line.startsWith(' ') || line.startsWith('\t')) {
      if (!open) throw new IniSyntaxError(number, 'an indented line continues the option above it, and there is none');
      open.lines.push(line.trimStart());
    } else {
      close();
      if (line.startsWith('[')) section = sectionName(line, number);
      else if (!line.startsWith('#') && !line.startsWith(';')) open = assignment(line, number, section);
    }
  }
  close();
  return entries;
}

function sectionName(line: string, number: number): string {
  if (!line.endsWith(']')) throw new IniSyntaxError(number, 'a section begins with "[" and ends with "]"');
  const name = line.slice(1, -1).trim();
  if (name === '') throw new IniSyntaxError(number, 'a section has a name');
  return name.toUpperCase() === 'DEFAULT' ? 'DEFAULT' : name.toLowerCase();
}

function assignment(line: string, number: number, section: string): { entry: IniEntry; lines: string[] } {
  const at = line.search(/[:=]/);
  if (at < 0) throw new IniSyntaxError(number, 'an option is written "name = value"');
  const name = line.slice(0, at).trim();
  if (name === '') throw new IniSyntaxError(number, 'an option has a name before "="');
  return { entry: { section, name, value: '', line: number }, lines: [withoutQuotes(line.slice(at + 1).trim())] };
}

function withoutQuotes(value: string): string {
  const first = value.at(0);
  const quoted = value.length > 1 && (first === '"' || first === "'") && value.at(-1) === first;
  return quoted ? value.slice(1, -1) : value;
}
