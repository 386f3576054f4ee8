import type { TaskKind } from '../src/index.ts';
import type { World } from './world.ts';

/** One request that must be sent once, whose answer may come late: sent in a call far longer than a lease, then waited for in rows. */
export function askKind(world: World): TaskKind {
  return {
    kind: 'ask',
    codeVersion: 1,
    deadlineMs: 600_000,
    compensationDeadlineMs: 600_000,
    steps: () => [
      {
        name: 'ask',
        timeoutMs: 600_000,
        retry: { attempts: 4, capMs: 20 },
        async run({ task, token, noted, note, signal }) {
          const answered = (): boolean => world.has(task.instanceId, 'answer', task.instanceId);
          if (noted === undefined) {
            await note('sent');
            if (!world.create(task.instanceId, 'question', token)) throw new Error('it was asked twice');
            while (!answered()) {
              signal.throwIfAborted();
              await new Promise((resolve) => setTimeout(resolve, 20));
            }
          }
          return answered() ? { done: { noted: noted ?? null } } : { wait: { ms: 100, progress: 'no answer yet' } };
        },
      },
    ],
    onDone: async () => {},
    onFailed: async () => {},
    onCancelled: async () => {},
  };
}
