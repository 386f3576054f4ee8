import { randomUUID } from 'node:crypto';
import type { CallContext } from '../../rpc/types.ts';
import type { JsonObject } from '../v2/strict_json.ts';

/** The context as Trove's services send it, member by member in their order. A token and a service catalog are never in it. */
export function osloContext(context: CallContext): JsonObject {
  const user = context.user_id ?? null;
  const project = context.project_id ?? null;
  return {
    user,
    project_id: project,
    system_scope: null,
    project,
    domain: null,
    user_domain: null,
    project_domain: null,
    is_admin: false,
    read_only: false,
    show_deleted: false,
    auth_token: null,
    request_id: context.request_id ?? `req-${randomUUID()}`,
    global_request_id: null,
    resource_uuid: null,
    roles: [],
    user_identity: `${user ?? '-'} ${project ?? '-'} - - -`,
    is_admin_project: true,
    limit: null,
    marker: null,
    service_catalog: null,
  };
}

/** What we take from a peer's context; the rest of it, tokens above all, is not even looked at. */
export function callContext(members: JsonObject): CallContext {
  const { request_id, project_id, user } = members;
  return {
    ...(typeof request_id === 'string' ? { request_id } : {}),
    ...(typeof project_id === 'string' ? { project_id } : {}),
    ...(typeof user === 'string' ? { user_id: user } : {}),
  };
}
