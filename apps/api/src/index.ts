export { type Api, buildApi } from './build_api.ts';
export { computeChoices } from './compute_choices.ts';
export type { ApiDeps, ApiSettings, ComputeCatalog } from './deps.ts';
export { type ApiConfig, apiOptions, settingsOf } from './options.ts';
