export { buildConductor, type Conductor, type ConductorDeps } from './conductor.ts';
export { type ConductorConfig, type ConductorSettings, conductorOptions } from './options.ts';
