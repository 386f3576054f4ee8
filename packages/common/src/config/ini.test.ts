import { expect, test } from 'vitest';
import { IniSyntaxError, parseIni } from './ini.ts';

function pairs(text: string) {
  return parseIni(text).map((entry) => [entry.section, entry.name, entry.value]);
}

test('both signs assign, and the first of them splits', () => {
  expect(pairs('a = b:c\nd: e=f\ng=h')).toEqual([
    ['DEFAULT', 'a', 'b:c'],
    ['DEFAULT', 'd', 'e=f'],
    ['DEFAULT', 'g', 'h'],
  ]);
});

test('an indented line continues a value, a blank line or a comment ends it', () => {
  expect(pairs('a = 1,\n  2,\n\t3\n\nb = x\n# remark\nc = y')).toEqual([
    ['DEFAULT', 'a', '1,\n2,\n3'],
    ['DEFAULT', 'b', 'x'],
    ['DEFAULT', 'c', 'y'],
  ]);
  expect(() => parseIni('a = 1\n\n  2')).toThrow(IniSyntaxError);
});

test('a sign of comment after a value belongs to the value', () => {
  expect(pairs('a = pass#word ; x')).toEqual([['DEFAULT', 'a', 'pass#word ; x']]);
});

test('one pair of quotes around a value is dropped', () => {
  expect(pairs(`a = "x"\nb = 'y'\nc = "z'\nd = "`)).toEqual([
    ['DEFAULT', 'a', 'x'],
    ['DEFAULT', 'b', 'y'],
    ['DEFAULT', 'c', `"z'`],
    ['DEFAULT', 'd', '"'],
  ]);
});

test('sections may be repeated and written in any case; a repeated option gives a further entry', () => {
  expect(pairs('[Database]\na = 1\n[default]\nb = 2\n[database]\na = 3')).toEqual([
    ['database', 'a', '1'],
    ['DEFAULT', 'b', '2'],
    ['database', 'a', '3'],
  ]);
});

test('line ends of Windows, a byte order mark and an empty value are read', () => {
  expect(pairs('\uFEFFa = 1\r\nb =\r\n')).toEqual([
    ['DEFAULT', 'a', '1'],
    ['DEFAULT', 'b', ''],
  ]);
});
