import { expect, test } from 'vitest';
import { instanceStatus, isServing, operatingStatus, type StatusFacts, unavailability } from './status.ts';

const EXPIRY = 90;
const healthy: StatusFacts = {
  task_id: 1,
  server_status: 'ACTIVE',
  service_status_id: 33,
  service_updated_at: '2026-11-21 10:00:00',
  running_backup_id: null,
  read_at: '2026-11-21 10:00:30',
};

test.each<[Partial<StatusFacts>, string, string]>([
  [{}, 'ACTIVE', 'HEALTHY'],
  [{ service_status_id: 1 }, 'ACTIVE', 'ACTIVE'],
  [{ service_status_id: 32 }, 'ACTIVE', 'RESTART_REQUIRED'],
  [{ task_id: 81 }, 'ERROR', ''],
  [{ task_id: 91, server_status: null }, 'ERROR', ''],
  [{ task_id: 5, server_status: null }, 'BUILD', ''],
  [{ task_id: 5, server_status: 'ACTIVE' }, 'BUILD', ''],
  [{ task_id: 5, server_status: 'ERROR' }, 'ERROR', ''],
  [{ task_id: 3 }, 'REBOOT', ''],
  [{ task_id: 4 }, 'RESIZE', ''],
  [{ task_id: 89, server_status: 'SHUTDOWN' }, 'UPGRADE', ''],
  [{ task_id: 7 }, 'RESTART_REQUIRED', ''],
  [{ task_id: 8 }, 'PROMOTE', ''],
  [{ task_id: 9 }, 'EJECT', ''],
  [{ task_id: 11 }, 'DETACH', ''],
  [{ task_id: 6 }, 'ACTIVE', ''],
  [{ task_id: 2 }, 'SHUTDOWN', ''],
  [{ task_id: 2, server_status: 'ERROR' }, 'ERROR', ''],
  [{ task_id: 2, server_status: 'BUILD' }, 'SHUTDOWN', ''],
  [{ running_backup_id: 'b1' }, 'BACKUP', 'HEALTHY'],
  [{ server_status: 'SHUTDOWN' }, 'SHUTDOWN', ''],
  [{ server_status: 'VERIFY_RESIZE' }, 'RESIZE', ''],
  [{ server_status: 'PASSWORD' }, 'UNKNOWN', ''],
  [{ task_id: null }, 'ACTIVE', 'HEALTHY'],
])('%j shows as %s and "%s"', (change, status, operating) => {
  const facts = { ...healthy, ...change };
  expect([instanceStatus(facts, EXPIRY), operatingStatus(facts, EXPIRY)]).toEqual([status, operating]);
});

test('a guest that has been silent for longer than the expiry shows as ERROR, one that needs a restart does not', () => {
  const late = { ...healthy, read_at: '2026-11-21 10:01:31' };
  expect(operatingStatus({ ...late, read_at: '2026-11-21 10:01:30' }, EXPIRY)).toBe('HEALTHY');
  expect(operatingStatus(late, EXPIRY)).toBe('ERROR');
  expect(operatingStatus({ ...late, service_status_id: 32 }, EXPIRY)).toBe('RESTART_REQUIRED');
});

test('where no driver knows the server, a guest that serves and was heard of speaks for it; it is never SHUTDOWN', () => {
  const adopted = { ...healthy, server_status: null };
  expect(instanceStatus(adopted, EXPIRY)).toBe('ACTIVE');
  for (const service_status_id of [1, 32])
    expect(instanceStatus({ ...adopted, service_status_id }, EXPIRY)).toBe('ACTIVE');
  expect(instanceStatus({ ...adopted, service_status_id: 4 }, EXPIRY)).toBe('UNKNOWN');
  expect(instanceStatus({ ...adopted, read_at: '2026-11-21 11:00:00' }, EXPIRY)).toBe('UNKNOWN');
  expect(instanceStatus({ ...adopted, service_updated_at: null }, EXPIRY)).toBe('UNKNOWN');
});

test('an action may begin on a server that is up, with no task and a service that is neither new nor moving', () => {
  expect(unavailability(healthy, EXPIRY)).toBeUndefined();
  expect(unavailability({ ...healthy, task_id: 7 }, EXPIRY)).toBeUndefined();
  expect(unavailability({ ...healthy, service_status_id: 4 }, EXPIRY)).toBeUndefined();
  expect(unavailability({ ...healthy, task_id: 5 }, EXPIRY)).toEqual({ kind: 'instance', status: 'BUILD' });
  expect(unavailability({ ...healthy, task_id: 89 }, EXPIRY)).toEqual({ kind: 'task', status: 'UPGRADING' });
  expect(unavailability({ ...healthy, server_status: 'SHUTDOWN' }, EXPIRY)).toEqual({
    kind: 'instance',
    status: 'SHUTDOWN',
  });
  expect(unavailability({ ...healthy, service_status_id: 23 }, EXPIRY)).toEqual({ kind: 'instance', status: 'NEW' });
  expect(unavailability({ ...healthy, running_backup_id: 'b1' }, EXPIRY)).toEqual({
    kind: 'instance',
    status: 'BACKUP',
  });
});

test('only a service that runs is asked for its databases', () => {
  expect(isServing(healthy, EXPIRY)).toBe(true);
  for (const change of [
    { service_status_id: 4 },
    { server_status: 'SHUTDOWN' },
    { task_id: 5 },
    { service_status_id: null },
  ]) {
    expect(isServing({ ...healthy, ...change }, EXPIRY)).toBe(false);
  }
});
