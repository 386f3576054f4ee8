import type { InstanceActionBody } from '@trove/contracts';
import type { PolicyRule } from '@trove/identity';
import type { FiledTask } from '@trove/tasks';
import type { FastifyRequest } from 'fastify';
import type { Static } from 'typebox';
import type { ApiWork } from './api_work.ts';
import type { instanceOfCaller } from './instance_of_caller.ts';
import { resizeInstance } from './resize_instance.ts';
import { restartInstance } from './restart_instance.ts';

type Body = Static<typeof InstanceActionBody>;

/** What one member of `POST /instances/{id}/action` does. */
export interface InstanceAction<Argument> {
  rule(argument: Argument): PolicyRule;
  /** Files the task; `argument` is what stands under the action's name, as its schema says. */
  file(
    work: ApiWork,
    request: FastifyRequest,
    instance: Awaited<ReturnType<typeof instanceOfCaller>>,
    argument: Argument,
  ): Promise<FiledTask>;
}

/** Every action that the body's schema has. */
export const INSTANCE_ACTIONS: { readonly [Name in keyof Body]-?: InstanceAction<NonNullable<Body[Name]>> } = {
  restart: {
    rule: () => 'instance:restart',
    file: ({ deps }, request, instance) => restartInstance(deps, request, instance),
  },
  resize: {
    rule: ({ volume }) => (volume === undefined ? 'instance:resize_flavor' : 'instance:resize_volume'),
    file: resizeInstance,
  },
};
