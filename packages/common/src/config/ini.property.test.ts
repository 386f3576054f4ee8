import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IniSyntaxError, parseIni } from './ini.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9_.]{0,12}$/);
/** One line of text without blanks at its ends or quotes around it, which the format has no way to write. */
const line = fc
  .string({ unit: 'grapheme' })
  .map((text) => text.replaceAll(/[\r\n]/g, '').trim())
  .filter((text) => !/^["'].*["']$/s.test(text));

test('what is written as an assignment is read as it was meant', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, name, line)), fc.constantFrom(' = ', '=', ': ', ':'), (rows, sign) => {
      const text = rows.map(([section, option, value]) => `[${section}]\n${option}${sign}${value}\n`).join('');
      const expected = rows.map(([section, option, value]) => ({
        section: section === 'default' ? 'DEFAULT' : section,
        name: option,
        value,
      }));
      expect(parseIni(text)).toMatchObject(expected);
    }),
  );
});

test('any text is read or refused with a line, never with another error', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '=', ':', '[', ']', '#', ' ', '\n', '"', '$') }), (text) => {
      try {
        parseIni(text);
      } catch (error) {
        expect(error).toBeInstanceOf(IniSyntaxError);
      }
    }),
  );
});
