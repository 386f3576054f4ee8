import { OptionValueError } from './option_value.ts';

const REFERENCE = /\$(?:\$|\{([_a-z][._a-z0-9]*)\}|([_a-z][._a-z0-9]*))/gi;
const DEEPEST = 10;

/**
 * Replaces `$name`, `${name}` and `${section.name}` as oslo.config does: the name is looked for in the option's own
 * section, then in DEFAULT; `$$` and `\$` are a dollar sign; a `$` before anything else stays. `lookup` gives an option's
 * text, empty where it is known and unset, undefined where there is none. Throws `OptionValueError`.
 */
export function substitute(
  text: string,
  section: string,
  lookup: (section: string, name: string) => string | undefined,
  depth = 0,
): string {
  if (depth > DEEPEST) throw new OptionValueError('its "$" references lead back to itself');
  return text.replaceAll('\\$', '$$$$').replace(REFERENCE, (whole: string, braced?: string, bare?: string) => {
    const name = braced ?? bare;
    if (name === undefined) return '$';
    const dot = name.indexOf('.');
    const [home, option] = dot > 0 ? [name.slice(0, dot), name.slice(dot + 1)] : [section, name];
    const places = dot > 0 ? [home] : [home, 'DEFAULT'];
    for (const place of places) {
      const value = lookup(place, option);
      if (value !== undefined) return substitute(value, place, lookup, depth + 1);
    }
    throw new OptionValueError(`${whole} names no option (write $$ for a dollar sign)`);
  });
}
