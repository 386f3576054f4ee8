import { TASK_HEADER } from '@trove/contracts';
import type { FiledTask } from '@trove/tasks';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiWork } from '../work/api_work.ts';
import { contextOf } from '../work/filing.ts';

/** What follows every filing: rings for the task, and names it in the answer, so that the client can follow it. */
export function announce(
  { doorbell }: Pick<ApiWork, 'doorbell'>,
  request: FastifyRequest,
  reply: FastifyReply,
  { taskId }: FiledTask,
): void {
  doorbell.ring(taskId, contextOf(request));
  reply.header(TASK_HEADER, taskId);
}
