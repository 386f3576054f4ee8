/**
 * The text of an INI file with these options of `[DEFAULT]` set, or taken out where the value is undefined; everything else
 * stays as it is. A value's `$` is written `$$`, so that it is read as itself; it has one line.
 */
export function editIni(text: string, options: Readonly<Record<string, string | undefined>>): string {
  const left = new Map(Object.entries(options));
  const lines: string[] = [];
  let inDefault = true;
  let dropping = false;
  let end = 0;
  for (const line of text.replace(/\n$/, '').split('\n')) {
    const continues = /^[ \t]/.test(line) && line.trim() !== '';
    if (continues && dropping) continue;
    dropping = false;
    if (line.startsWith('[')) inDefault = line.trim().toUpperCase() === '[DEFAULT]';
    const name = inDefault && !continues ? NAME.exec(line)?.[1] : undefined;
    if (name !== undefined && Object.hasOwn(options, name)) {
      dropping = true;
      const value = left.get(name);
      left.delete(name);
      if (value === undefined) continue;
      lines.push(assignment(name, value));
    } else if (line !== '' || lines.length > 0) lines.push(line);
    if (inDefault && lines.at(-1) !== '') end = lines.length;
  }
  const added = [...left].flatMap(([name, value]) => (value === undefined ? [] : [assignment(name, value)]));
  if (added.length > 0 && !lines.slice(0, end).some((line) => line.trim().toUpperCase() === '[DEFAULT]'))
    added.unshift('[DEFAULT]');
  lines.splice(end, 0, ...added);
  return `${lines.join('\n')}\n`;
}

const NAME = /^([^#;[\s:=][^:=]*?)\s*[:=]/;

function assignment(name: string, value: string): string {
  return `${name}=${value.replaceAll('$', '$$$$')}`;
}
