export { buildConductor, type Conductor, type ConductorDeps } from './conductor.ts';
export { type ConductorConfig, conductorOptions, type ConductorSettings } from './options.ts';
