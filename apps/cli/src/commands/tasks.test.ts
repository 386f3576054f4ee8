import { describe, expect, test } from 'vitest';
import { cells, harness, ID, OTHER, TASK, TASK_PATH, task } from '../../test/harness.ts';
import { EXIT } from '../exit.ts';

describe('tasks', () => {
  const routes = {
    [`GET /instances/${ID}/tasks`]: () => ({
      body: { tasks: [task(), task({ id: OTHER, steps_total: 0, step: null })] },
    }),
    [`GET ${TASK_PATH}`]: () => ({ body: { task: task({ error: { code: 'X', message: 'no room' } }) } }),
  };

  test('a list has a line per task, of an instance that is gone too', async () => {
    const { run, out } = harness(routes);
    expect(await run('task-list', ID)).toBe(EXIT.ok);
    const [head, first, second] = cells(out());
    expect(head).toEqual(['id', 'kind', 'state', 'steps', 'step', 'created', 'updated']);
    expect(first?.slice(0, 5)).toEqual([TASK, 'restart_instance', 'waiting', '1 of 2', 'await_report']);
    expect(second?.slice(3, 5)).toEqual(['-', '-']);
  });

  test('one is shown with its error and a line per step', async () => {
    const { run, out } = harness(routes);
    expect(await run('task-show', ID, TASK)).toBe(EXIT.ok);
    expect(cells(out())).toContainEqual(['error', 'no room']);
    expect(cells(out())).toContainEqual(['await_report', 'running', '1', '2024-05-01T10:20:30', '-', 'no report yet']);
  });

  test('--json is one object', async () => {
    const { run, out } = harness(routes);
    await run('task-show', ID, TASK, '--json');
    expect(JSON.parse(out())).toMatchObject({ id: TASK, steps: [{ name: 'restart' }, { name: 'await_report' }] });
  });
});
