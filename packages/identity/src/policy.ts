import { TroveError } from '@trove/common';
import type { Caller } from './identity.ts';

/**
 * Who may do what, as data. `admin_or_owner`: an admin, or a member of the project that the object belongs to.
 * The names are those of Trove's policy file.
 */
export const POLICY_RULES = {
  context_is_admin: 'admin',
  'instance:create': 'admin_or_owner',
  'instance:delete': 'admin_or_owner',
  'instance:index': 'admin_or_owner',
  'instance:detail': 'admin_or_owner',
  'instance:show': 'admin_or_owner',
  'instance:update': 'admin_or_owner',
  'instance:restart': 'admin_or_owner',
  'instance:resize_flavor': 'admin_or_owner',
  'instance:resize_volume': 'admin_or_owner',
  'instance:extension:database:create': 'admin_or_owner',
  'instance:extension:database:delete': 'admin_or_owner',
  'instance:extension:database:index': 'admin_or_owner',
  'instance:extension:user:create': 'admin_or_owner',
  'instance:extension:user:index': 'admin_or_owner',
  'datastore:index': 'anyone',
  'datastore:show': 'anyone',
  'datastore:version_index': 'anyone',
  'datastore:version_show': 'anyone',
  'datastore:version_show_by_uuid': 'anyone',
  'datastore:list_associated_flavors': 'anyone',
  'flavor:index': 'anyone',
  'flavor:show': 'anyone',
  'limits:index': 'admin_or_owner',
} as const satisfies Record<string, Check>;

export type PolicyRule = keyof typeof POLICY_RULES;

type Check = 'anyone' | 'admin' | 'admin_or_owner';

const ADMIN_ROLE = 'admin';

/** True for a caller with the role `admin`: sees fields and objects that others do not. */
export function isAdmin(caller: Caller): boolean {
  return caller.roles.includes(ADMIN_ROLE);
}

/** Whether `rule` lets the caller act on an object of `projectId`. */
function isAllowed(rule: PolicyRule, caller: Caller, projectId: string): boolean {
  const check: Check = POLICY_RULES[rule];
  if (check === 'anyone' || isAdmin(caller)) return true;
  return check === 'admin_or_owner' && caller.projectId === projectId;
}

/** Throws `FORBIDDEN` where the rule says no. */
export function enforce(rule: PolicyRule, caller: Caller, projectId: string): void {
  if (isAllowed(rule, caller, projectId)) return;
  const isAdmins = POLICY_RULES[rule] === 'admin';
  const reason = isAdmins ? 'User does not have admin privileges.' : `Policy doesn't allow ${rule} to be performed.`;
  throw new TroveError('FORBIDDEN', reason);
}
