import { describe, expect, it } from 'vitest';
import type { Step } from '../types.ts';
import { nextMove, stepsNotDone, stepsToUndo, unknownStep } from './decide.ts';
import type { JournalEntry } from './task_row.ts';

const CALM = { cancelRequested: false, pastDeadline: false };
const CANCELLED = { cancelRequested: true, pastDeadline: false };
const LATE = { cancelRequested: false, pastDeadline: true };

function step(name: string, undoable: boolean): Step {
  const base: Step = { name, run: async () => ({ done: null }), timeoutMs: 1, retry: { attempts: 1, capMs: 1 } };
  return undoable ? { ...base, undo: async () => undefined } : base;
}

function journal(states: Record<string, JournalEntry['state']>): Map<string, JournalEntry> {
  return new Map(
    Object.entries(states).map(([name, state]) => [
      name,
      { name, state, token: '', output: null, progress: null, started: undefined, noted: undefined, attempts: 0 },
    ]),
  );
}

const steps = [step('a', true), step('b', false), step('c', true), step('d', false), step('e', false)];
const names = (list: readonly Step[]): string[] => list.map(({ name }) => name);

describe('what a task does next', () => {
  it('is its first step that is not done, and its end after the last', () => {
    expect(nextMove(steps, journal({}), CALM)).toMatchObject({ do: 'run', step: { name: 'a' } });
    expect(nextMove(steps, journal({ a: 'done', b: 'intent' }), CALM)).toMatchObject({
      do: 'run',
      step: { name: 'b' },
    });
    const all = journal({ a: 'done', b: 'done', c: 'done', d: 'done', e: 'done' });
    expect(nextMove(steps, all, { cancelRequested: true, pastDeadline: true })).toEqual({ do: 'finish' });
  });

  it('is to turn back when cancelled, until its last undoable step is done', () => {
    expect(nextMove(steps, journal({}), CANCELLED)).toEqual({ do: 'compensate', error: null });
    expect(nextMove(steps, journal({ a: 'done', b: 'done', c: 'intent' }), CANCELLED)).toEqual({
      do: 'compensate',
      error: null,
    });
    expect(nextMove(steps, journal({ a: 'done', b: 'done', c: 'done' }), CANCELLED)).toMatchObject({
      do: 'run',
      step: { name: 'd' },
    });
  });

  it('is to turn back at its deadline, with an error that says where it stood', () => {
    expect(nextMove(steps, journal({ a: 'done' }), LATE)).toMatchObject({
      do: 'compensate',
      error: { message: expect.stringContaining('"b"') },
    });
  });

  it('a task of steps that cannot be undone is cancelled only before it begins', () => {
    const oneWay = [step('a', false), step('b', false)];
    expect(nextMove(oneWay, journal({}), CANCELLED)).toMatchObject({ do: 'compensate' });
    expect(nextMove(oneWay, journal({ a: 'intent' }), CANCELLED)).toMatchObject({ do: 'run' });
  });
});

describe('what is undone', () => {
  it('is each attempted undoable step, last first', () => {
    expect(names(stepsToUndo(steps, journal({ a: 'done', b: 'done', c: 'intent' })))).toEqual(['c', 'a']);
    expect(names(stepsToUndo(steps, journal({ a: 'done', b: 'failed' })))).toEqual(['a']);
    expect(names(stepsToUndo(steps, journal({ a: 'done', b: 'done', c: 'undone' })))).toEqual(['a']);
    expect(names(stepsToUndo(steps, journal({ a: 'undone', b: 'done', c: 'undone' })))).toEqual([]);
  });

  it('is nothing where a newer release has put an undoable step before what the task has begun; that step comes late', () => {
    const begunByOlder = journal({ a: 'done', b: 'done', d: 'done', e: 'intent' });
    expect(stepsToUndo(steps, begunByOlder)).toEqual([]);
    expect(nextMove(steps, begunByOlder, CANCELLED)).toMatchObject({ do: 'run', step: { name: 'c' } });
  });

  it('is nothing once the last undoable step is done; what is not done is named instead', () => {
    const late = journal({ a: 'done', b: 'done', c: 'done', d: 'failed' });
    expect(stepsToUndo(steps, late)).toEqual([]);
    expect(stepsNotDone(steps, late)).toEqual(['d', 'e']);
  });
});

it('a step in the journal that the release does not have is found', () => {
  expect(unknownStep(steps, journal({ a: 'done', z: 'done' }))).toBe('z');
  expect(unknownStep(steps, journal({ a: 'done', b: 'intent' }))).toBeUndefined();
});
