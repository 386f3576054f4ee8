/**
 * JSON as Python's `json.dumps` writes it: `", "` and `": "` between, everything beyond ASCII escaped. Members that are
 * undefined are left out.
 */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([name, member]) => `${asciiString(name)}: ${pythonJson(member)}`).join(', ')}}`;
  }
  return typeof value === 'string' ? asciiString(value) : (JSON.stringify(value) ?? 'null');
}

function asciiString(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, escapeUnit);
}

/** Python leaves DEL as it is. */
function escapeUnit(unit: string): string {
  const code = unit.charCodeAt(0);
  return code === 0x7f ? unit : `\\u${code.toString(16).padStart(4, '0')}`;
}
