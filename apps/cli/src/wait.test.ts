import { describe, expect, test } from 'vitest';
import { harness, ID, instance, OTHER, type Route, step, TASK, TASK_PATH, task } from '../test/harness.ts';
import { EXIT } from './exit.ts';

describe('--wait', () => {
  const named = { 'x-trove-task-id': TASK };
  /** A restart whose task is seen so, one after the other. */
  const restart = (seen: (() => ReturnType<Route>)[], terminal?: { isTTY: boolean; columns?: number }) =>
    harness(
      {
        [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }),
        [`POST /instances/${ID}/action`]: () => ({ status: 202, headers: named }),
        [`GET ${TASK_PATH}`]: () => (seen.length > 1 ? seen.shift() : seen[0])?.() ?? {},
      },
      undefined,
      terminal,
    );
  const shows = (members?: object) => () => ({ body: { task: task(members) } });

  test('follows the steps with a line per change, and then shows the instance', async () => {
    const { run, err, out } = restart([
      shows({ state: 'pending', step: null, steps_done: 0, steps_total: 0, steps: [] }),
      shows(),
      shows(),
      shows({ state: 'done', steps_done: 2 }),
    ]);
    expect(await run('restart', ID, '--wait')).toBe(EXIT.ok);
    expect(err().split('\n')).toEqual([
      `${ID}: restart_instance, pending`,
      `${ID}: restart_instance 1 of 2, await_report: no report yet`,
      `${ID}: restart_instance 2 of 2, done`,
      '',
    ]);
    expect(out()).toContain('HEALTHY');
  });

  test('work that nobody does is told as such', async () => {
    const { run, err } = restart([shows({ unattended_since: '2026-01-02T03:04:05' }), shows({ state: 'done' })]);
    await run('restart', ID, '--wait');
    expect(err()).toContain(
      `${ID}: restart_instance 1 of 2, nobody has worked on it since 2026-01-02T03:04:05 UTC: is a taskmanager running?\n`,
    );
  });

  test('a task that is parked says why nobody works on it', async () => {
    const parked = { unattended_since: '2026-01-02T03:04:05', error: { code: 'PARKED', message: 'Parked: too new.' } };
    const { run, err } = restart([shows(parked), shows({ state: 'done' })]);
    await run('restart', ID, '--wait');
    expect(err()).toContain('nobody has worked on it since 2026-01-02T03:04:05 UTC: Parked: too new.\n');
  });

  test('on a terminal it is one line that is written over and never wraps', async () => {
    const { run, err } = restart([shows(), shows({ state: 'done' })], { isTTY: true, columns: 40 });
    await run('restart', ID, '--wait');
    const written = err().split('\r\u001b[K');
    expect(written).toHaveLength(3);
    for (const line of written) expect(line.trimEnd().length).toBeLessThan(40);
    expect(err().match(/\n/g)).toHaveLength(1);
  });

  test('a task that fails is exit code 5, with its step and its reason', async () => {
    const steps = [step('restart', 'failed', { attempts: 3 })];
    const { run, err, out } = restart([shows({ state: 'failed', steps, error: { code: 'X', message: 'no room' } })]);
    expect(await run('restart', ID, '--wait')).toBe(EXIT.waitFailed);
    expect(err()).toContain('trove: restart_instance failed at step restart: no room\n');
    expect(out()).toBe('');
  });

  test('one that is cancelled is exit code 5', async () => {
    const { run, err } = restart([shows({ state: 'cancelled' })]);
    expect(await run('restart', ID, '--wait')).toBe(EXIT.waitFailed);
    expect(err()).toContain('was cancelled');
  });

  test('one that does not end in time is exit code 5, and says that the work goes on', async () => {
    const { run, err } = restart([shows()]);
    expect(await run('restart', ID, '--wait', '--timeout', '0.001')).toBe(EXIT.waitFailed);
    expect(err()).toContain(`The work on ${ID} goes on; \`trove task-show ${ID} ${TASK}\` shows it.`);
  });

  test('Ctrl-C ends the waiting and not the work, with exit code 130', async () => {
    const seen = [
      shows(),
      () => {
        session.interrupt();
        return shows()();
      },
    ];
    const session = restart(seen);
    expect(await session.run('restart', ID, '--wait')).toBe(EXIT.interrupted);
    expect(session.err()).toContain(`goes on; \`trove task-show ${ID} ${TASK}\``);
    expect(session.asked.filter(({ request }) => !request.startsWith('GET'))).toHaveLength(1);
  });

  test('a server that is away for a while is waited for', async () => {
    const away = () => ({ status: 503, body: { serviceUnavailable: { code: 503, message: 'away' } } });
    const broken = () => {
      throw new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }) });
    };
    const { run, err } = restart([away, broken, shows({ state: 'done' })]);
    expect(await run('restart', ID, '--wait')).toBe(EXIT.ok);
    expect(err()).toContain('the server does not answer\n');
  });

  test('several deletes are all asked for before the first is waited for', async () => {
    const gone = shows({ kind: 'delete_instance', state: 'done' });
    const { run, asked, out } = harness({
      [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }),
      [`GET /instances/${OTHER}`]: () => ({ body: { instance: instance({ id: OTHER }) } }),
      [`DELETE /instances/${ID}`]: () => ({ status: 202, headers: named }),
      [`DELETE /instances/${OTHER}`]: () => ({ status: 202, headers: named }),
      [`GET ${TASK_PATH}`]: gone,
      [`GET ${TASK_PATH.replace(ID, OTHER)}`]: gone,
    });
    expect(await run('delete', ID, OTHER, '--wait')).toBe(EXIT.ok);
    const order = asked.map(({ request }) => request).filter((request) => /DELETE|tasks/.test(request));
    expect(order.map((request) => request.split(' ')[0])).toEqual(['DELETE', 'DELETE', 'GET', 'GET']);
    expect(out()).toBe(`${ID} is deleted.\n${OTHER} is deleted.\n`);
  });
});

describe('requests that file a task', () => {
  const away = { status: 503, headers: { 'retry-after': '0' }, body: { serviceUnavailable: { message: 'away' } } };
  const reset = () => {
    throw new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNRESET' }) });
  };

  test('go again under the same key where the server could not serve or the connection broke', async () => {
    const answers: Route[] = [() => away, reset, () => ({ status: 202 })];
    const { run, asked, err } = harness({
      [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }),
      [`DELETE /instances/${ID}`]: (body) => answers.shift()?.(body) ?? {},
    });
    expect(await run('delete', ID)).toBe(EXIT.ok);
    const keys = asked.filter(({ request }) => request.startsWith('DELETE')).map(({ key }) => key);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(err().match(/Trying again/g)).toHaveLength(2);
  });

  test('each command has a key of its own, and gives up in the end', async () => {
    const { run, asked } = harness({
      [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }),
      [`PATCH /instances/${ID}`]: () => away,
    });
    expect(await run('upgrade', ID, '5.8')).toBe(EXIT.refused);
    expect(await run('upgrade', ID, '5.8')).toBe(EXIT.refused);
    const keys = asked.filter(({ request }) => request.startsWith('PATCH')).map(({ key }) => key);
    expect(keys).toHaveLength(8);
    expect(new Set(keys).size).toBe(2);
  });

  test.each([
    [['resize-instance', ID, '25'], { flavorRef: '25' }],
    [['resize-volume', ID, '4'], { volume: { size: 4 } }],
  ])('%j asks for a resize', async (argv, resize) => {
    const { run, asked } = harness({
      'GET /flavors/25': () => ({ body: { flavor: {} } }),
      [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }),
      [`POST /instances/${ID}/action`]: () => ({ status: 202 }),
    });
    expect(await run(...argv)).toBe(EXIT.ok);
    expect(asked.at(-1)?.body).toEqual({ resize });
  });
});
