import type { Server } from '@trove/compute';
import { expect, test } from 'vitest';
import { buildError } from '../create_instance/build_error.ts';
import { failedStep } from './failed_step.ts';
import { chooseServer, judgeServer } from './servers.ts';
import { judgeBuild, serves } from './service_verdict.ts';

const server = (id: string, status: Server['status'] = 'ACTIVE'): Server => ({
  ...{
    id,
    status,
    clientToken: 't',
    host: 'h',
    imageId: 'i',
    flavorId: '1',
    volumeId: null,
    addresses: [],
    generation: 't',
  },
});

test('of several servers of one token every worker keeps the same one', () => {
  const three = [server('b'), server('a'), server('c')];
  expect(chooseServer(three).keep?.id).toBe('a');
  expect(chooseServer(three.toReversed()).extras.map(({ id }) => id)).toEqual(['b', 'c']);
  expect(chooseServer([])).toEqual({ keep: undefined, extras: [] });
});

test('a server is waited for while it is made, and given up when it is gone or in error', () => {
  const verdicts = [undefined, server('a', 'ERROR'), server('a', 'BUILD'), server('a', 'SHUTDOWN'), server('a')].map(
    judgeServer,
  );
  expect(verdicts).toEqual(['failed', 'failed', 'wait', 'wait', 'ready']);
});

test("a legacy guest's status means to a build what it means in Trove", () => {
  expect(['running', 'instance ready', 'healthy'].map(judgeBuild)).toEqual(['ready', 'ready', 'ready']);
  expect([undefined, 'new', 'building', 'unknown', 'deleted'].map(judgeBuild)).toEqual(Array(5).fill('wait'));
  expect(['failed to spawn', 'crashed', 'shutdown'].map(judgeBuild)).toEqual(Array(3).fill('failed'));
  expect([serves('healthy'), serves('restarting'), serves(undefined)]).toEqual([true, false, false]);
});

test('the step that failed is the first without an output of its own; progress is none', () => {
  const names = ['one', 'two', 'three'];
  expect(failedStep(names, { one: { a: 1 } })).toBe('two');
  expect(failedStep(names, { one: { a: 1 }, two: { progress: 'waiting' } })).toBe('two');
  expect(failedStep(names, { one: { a: 1 }, two: null, three: { b: 2 } })).toBe('two');
  expect(failedStep(names, { one: {}, two: {}, three: {} })).toBeUndefined();
});

test('where a build stopped decides the task that shows it, as Trove names them', () => {
  expect(buildError('create_volume')).toBe('BUILDING_ERROR_VOLUME');
  expect(['await_agent', 'prepare', 'await_healthy'].map(buildError)).toEqual(
    Array(3).fill('BUILDING_ERROR_TIMEOUT_GA'),
  );
  expect(['make_key', 'create_server', undefined].map(buildError)).toEqual(Array(3).fill('BUILDING_ERROR_SERVER'));
});
