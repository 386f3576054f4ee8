import { findMariadb, startMariadb } from './mariadb.ts';
import { findRabbitmq, startRabbitmq } from './rabbitmq.ts';
import type { ServerTls } from './server_tls.ts';

export interface TlsBroker {
  /** `amqp://user:password@127.0.0.1:port/?management_port=…`, in clear. */
  url: string;
  tlsPort: number;
  managementTlsPort: number;
  dispose(): Promise<void>;
}

export interface TlsDatabase {
  /** `mysql://user:password@127.0.0.1:port`, an account that may do everything. */
  url: string;
  dispose(): Promise<void>;
}

/** A RabbitMQ of one's own that speaks TLS beside its port in clear, on 127.0.0.1; AMQP and management API. */
export async function tlsBroker(tls: ServerTls): Promise<TlsBroker> {
  const binaries = findRabbitmq();
  if (binaries === undefined) throw new Error('TLS tests need rabbitmq-server on this machine');
  const { url, tlsPort, managementTlsPort, stop } = await startRabbitmq(binaries, { tls });
  return { url, tlsPort, managementTlsPort, dispose: stop };
}

/** A MariaDB of one's own that offers TLS; `versions` is its `tls_version`. */
export async function tlsDatabase(tls: ServerTls & { versions?: string }): Promise<TlsDatabase> {
  const binaries = findMariadb();
  if (binaries === undefined) throw new Error('TLS tests need mariadb-server on this machine');
  const { url, stop } = await startMariadb(binaries, { tls });
  return { url, dispose: stop };
}
