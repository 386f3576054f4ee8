import { describe, expect, test } from 'vitest';
import { cells, harness } from '../../test/harness.ts';
import { EXIT } from '../exit.ts';

const QUOTAS = [
  { resource: 'instances', in_use: 2, reserved: 1, limit: 10 },
  { resource: 'ram', in_use: 1024, reserved: 512, limit: -1 },
];
const ABSOLUTE = { verb: 'ABSOLUTE', max_instances: 10, max_ram: -1, max_backups: 50, max_volumes: 40 };
const RATE = { verb: 'POST', value: 200, remaining: 199, unit: 'MINUTE', uri: '*' };

describe('quotas', () => {
  test('are a line per resource, and with --json what the server said', async () => {
    const routes = { 'GET /mgmt/quotas/p2': () => ({ body: { quotas: QUOTAS } }) };
    const shown = harness(routes);
    expect(await shown.run('quota-show', 'p2')).toBe(EXIT.ok);
    expect(cells(shown.out())).toEqual([
      ['resource', 'in_use', 'reserved', 'limit'],
      ['instances', '2', '1', '10'],
      ['ram', '1024', '512', '-1'],
    ]);
    const json = harness(routes);
    await json.run('quota-show', 'p2', '--json');
    expect(JSON.parse(json.out())).toEqual(QUOTAS);
  });

  test.each(['20', '-1', '0'])('take a limit of %s', async (limit) => {
    const { run, out, asked } = harness({ 'PUT /mgmt/quotas/p%2F2': (body) => ({ body }) });
    expect(await run('quota-update', 'p/2', 'instances', limit)).toBe(EXIT.ok);
    expect(asked.map(({ body }) => body)).toEqual([{ quotas: { instances: Number(limit) } }]);
    expect(cells(out())).toEqual([
      ['Property', 'Value'],
      ['instances', limit],
    ]);
  });

  test.each(['ten', '1.5', '-2', ''])('take no limit of %j, and nobody is asked', async (limit) => {
    const { run, err, asked } = harness({});
    expect(await run('quota-update', 'p2', 'instances', limit)).toBe(EXIT.usage);
    expect(err()).toContain(`<limit> takes a whole number, or -1 for no limit, not '${limit}'.`);
    expect(asked).toEqual([]);
  });

  test('that are refused end in the words of the server', async () => {
    const refusal = { itemNotFound: { code: 404, message: "Quota resource 'disks' cannot be found." } };
    const { run, err } = harness({ 'PUT /mgmt/quotas/p2': () => ({ status: 404, body: refusal }) });
    expect(await run('quota-update', 'p2', 'disks', '3')).toBe(EXIT.notFound);
    expect(err()).toContain("Quota resource 'disks' cannot be found.");
  });
});

describe('limits', () => {
  test('are those of the project, with a line per rate where the server has any', async () => {
    const alone = harness({ 'GET /limits': () => ({ body: { limits: [ABSOLUTE] } }) });
    expect(await alone.run('limit-list')).toBe(EXIT.ok);
    expect(cells(alone.out()).map(([name, value]) => [name, value])).toEqual([
      ['Property', 'Value'],
      ['max_backups', '50'],
      ['max_instances', '10'],
      ['max_ram', '-1'],
      ['max_volumes', '40'],
      ['verb', 'ABSOLUTE'],
    ]);
    const both = harness({ 'GET /limits': () => ({ body: { limits: [ABSOLUTE, RATE] } }) });
    await both.run('limit-list');
    expect(cells(both.out()).slice(-2)).toEqual([
      ['value', 'verb', 'remaining', 'unit'],
      ['200', 'POST', '199', 'MINUTE'],
    ]);
  });
});
