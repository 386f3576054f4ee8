import { expect, test } from 'vitest';
import { editIni } from './edit_ini.ts';
import { parseIni } from './ini.ts';

const FILE = `# who this is
[DEFAULT]
guest_id = g
key : old
  with a second line
; the end
[oslo_messaging_rabbit]
key = another
`;

test('an option is set in its place, taken out, or added at the end of its section; everything else stays', () => {
  expect(editIni(FILE, { key: 'new' })).toBe(FILE.replace('key : old\n  with a second line', 'key=new'));
  expect(editIni(FILE, { key: undefined })).toBe(FILE.replace('key : old\n  with a second line\n', ''));
  expect(editIni(FILE, { other: '1', key: undefined })).toContain('; the end\nother=1\n[oslo_messaging_rabbit]');
  expect(editIni(editIni(FILE, { other: '1' }), { other: undefined })).toBe(FILE);
});

test('an option that stands there twice stands there once, and one of another section is not touched', () => {
  expect(editIni('[DEFAULT]\na=1\na=2\n[x]\na=3\n', { a: '4' })).toBe('[DEFAULT]\na=4\n[x]\na=3\n');
});

test('a file without the section, or without anything, gets it', () => {
  expect(editIni('[x]\na=3\n', { a: '4' })).toBe('[DEFAULT]\na=4\n[x]\na=3\n');
  expect(editIni('', { a: '4' })).toBe('[DEFAULT]\na=4\n');
  expect(editIni('a=1\n', { b: '2' })).toBe('a=1\n[DEFAULT]\nb=2\n');
});

test('what is written is read as itself', () => {
  const value = 'rabbit://u:p$w@host:1/v';
  const [entry] = parseIni(editIni('', { url: value }));
  expect(entry).toMatchObject({ section: 'DEFAULT', name: 'url', value: value.replace('$', '$$$$') });
});
