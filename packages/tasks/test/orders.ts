import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultPoint, Faults } from '../src/engine/options.ts';

export type Order = 'SIGKILL' | 'SIGSTOP';

function orderPath(folder: string, point: FaultPoint): string {
  return join(folder, `${point.taskId}.${point.step ?? 'end'}.${point.at}`);
}

/** The first worker that comes to the point sends itself the signal; who comes there after it does not. */
export function giveOrder(folder: string, point: FaultPoint, order: Order): void {
  writeFileSync(`${orderPath(folder, point)}.${order}`, '');
}

/** How many orders no worker has come to. */
export function ordersLeft(folder: string): number {
  return readdirSync(folder).filter((name) => name.endsWith('.SIGKILL') || name.endsWith('.SIGSTOP')).length;
}

/** The faults of a worker process that obeys the folder's orders. */
export function obeyOrders(folder: string): Faults {
  return (point) => {
    for (const order of ['SIGKILL', 'SIGSTOP'] as const) {
      const path = `${orderPath(folder, point)}.${order}`;
      if (!existsSync(path)) continue;
      renameSync(path, `${orderPath(folder, point)}.obeyed`);
      process.kill(process.pid, order);
    }
  };
}
