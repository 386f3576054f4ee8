export { fullJitterMs } from './backoff.ts';
export { type Clock, systemClock } from './clock.ts';
export { editIni } from './config/edit_ini.ts';
export { type LoadConfigOptions, loadConfig } from './config/load_config.ts';
export { type ConfigOf, defineOptions, environmentName, type OptionSpec, type OptionType } from './config/options.ts';
export { checkPublishedKeys, type KeySettings } from './config/published_keys.ts';
export { type BusUrls, busUrls, sharedCatalogUrl } from './config/service_urls.ts';
export { sharedOptions } from './config/shared_options.ts';
export { accountOfUrl, type TransportAccount, urlWithAccount } from './config/transport_account.ts';
export {
  formatTransportUrl,
  parseTransportUrl,
  type TransportHost,
  type TransportUrl,
} from './config/transport_url.ts';
export { hkdfSha256, hmacSha256, sha256, troveDecrypt, troveEncrypt } from './crypto.ts';
export { syncFolder, writeFileDurably } from './durable_file.ts';
export {
  ERROR_CODES,
  type ErrorCode,
  isSystemError,
  isTroveError,
  TroveError,
  type TroveErrorOptions,
  toTroveError,
} from './errors.ts';
export { bytesToUuid, isUuid, newUuid, randomFraction, randomText, uuidToBytes, uuidV5 } from './ids.ts';
export { createLogger, type LogFields, type Logger, type LoggerOptions, silentLogger } from './logger.ts';
export { measureCall, showBuses } from './metrics/calls.ts';
export { createMetrics, type Metrics, type Reading } from './metrics/metrics.ts';
export {
  identifyProcess,
  type ProcessIdentity,
  processCommandLine,
  processRuns,
  signalProcess,
  waitForExit,
} from './processes.ts';
export { Secret } from './secret.ts';
export {
  type BrokenPart,
  type HealthCheck,
  type HealthServer,
  healthAnswer,
} from './service/health_server.ts';
export { type RunningService, runService, type ServiceContext, type ServiceDefinition } from './service/run_service.ts';
export { loadBrokerTls, type RabbitTlsSettings, transportUrlWithTls } from './tls/broker_tls.ts';
export type { TlsFileNames, TlsFiles } from './tls/pem_files.ts';
export { loadTlsClient, type TlsClient, type TlsConnectOptions } from './tls/tls_client.ts';
export {
  createTlsFetch,
  type PlainFetch,
  type PlainRequest,
  type PlainResponse,
  type TlsFetch,
} from './tls/tls_fetch.ts';
export { loadTlsServer, type TlsServerOptions, type TlsServerSettings } from './tls/tls_server.ts';
