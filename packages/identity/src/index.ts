export type { Caller, Identity } from './identity.ts';
export { enforce, isAdmin, type PolicyRule } from './policy.ts';
export { loadStaticTokens, staticTokens } from './static_tokens.ts';
