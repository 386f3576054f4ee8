export { type Boundary, withBoundaries } from './boundaries.ts';
export { type BreakableBroker, type BreakableServer, breakableBroker, breakableDatabase } from './breakable_servers.ts';
export {
  cannotStartDocker,
  type DockerEngine,
  type NoDockerEngine,
  provideDockerEngine,
  startDockerEngine,
} from './docker_engine.ts';
export { between, type FaultProxy, openFaultProxy } from './fault_proxy.ts';
export { type FollowedDatabase, followedDatabase } from './followed_database.ts';
export { freePort } from './free_ports.ts';
export { type LargeBroker, largeBroker } from './large_broker.ts';
export { type DumpOptions, dumpDatabases, loadDump } from './mysql_dumps.ts';
export { type ProvidedServers, provideServers, type ServerUrls } from './provide_servers.ts';
export { type ReachableCopy, reachableCopy } from './reachable_copy.ts';
export { oneOf, type Random, seededRandom } from './seeded_random.ts';
export type { ServerTls } from './server_tls.ts';
export { type ServiceProgram, startServiceProgram } from './service_program.ts';
export { type TestBroker, testBroker } from './test_broker.ts';
export { type TestDatabase, testDatabase } from './test_database.ts';
export { type TlsBroker, type TlsDatabase, tlsBroker, tlsDatabase } from './tls_servers.ts';
