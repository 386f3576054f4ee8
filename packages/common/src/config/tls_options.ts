import type { OptionSpec } from './options.ts';

/** TLS under the names that oslo.messaging and oslo.service have for it. */
export const tlsOptions = {
  rabbit_ssl: {
    section: 'oslo_messaging_rabbit',
    name: 'ssl',
    type: 'boolean',
    default: false,
    help: 'Speak TLS with the broker, whatever the URLs say: `transport_url`, `sealed_transport_url` and `guest_transport_url`. A single URL asks for it by `rabbits://`, `amqps://`, `rabbit+ssl://` or `?ssl=1`.',
  },
  rabbit_ssl_version: {
    section: 'oslo_messaging_rabbit',
    name: 'ssl_version',
    type: 'string',
    help: 'The least version of TLS towards the broker: `TLSv1_2` (the default) or `TLSv1_3`.',
  },
  rabbit_ssl_ca_file: {
    section: 'oslo_messaging_rabbit',
    name: 'ssl_ca_file',
    type: 'string',
    help: "The authorities, in PEM, that the broker's certificate is checked against, for every URL with TLS. Needed with TLS: the system's own store is never asked. The taskmanager gives its text to guests too.",
  },
  rabbit_ssl_cert_file: {
    section: 'oslo_messaging_rabbit',
    name: 'ssl_cert_file',
    type: 'string',
    help: 'The client certificate, in PEM, that this service shows to the broker. Guests get none.',
  },
  rabbit_ssl_key_file: {
    section: 'oslo_messaging_rabbit',
    name: 'ssl_key_file',
    type: 'string',
    help: 'The key of that client certificate, in PEM and without a passphrase; not readable by others.',
  },
  ssl_ca_file: {
    section: 'ssl',
    name: 'ca_file',
    type: 'string',
    help: 'The authorities, in PEM, of client certificates. Set, only clients that have one are let in.',
  },
  ssl_cert_file: {
    section: 'ssl',
    name: 'cert_file',
    type: 'string',
    help: "The certificate, in PEM with its chain, under which this service's ports speak TLS. Unset, they are in clear.",
  },
  ssl_key_file: {
    section: 'ssl',
    name: 'key_file',
    type: 'string',
    help: 'The key of that certificate, in PEM and without a passphrase; not readable by others.',
  },
} as const satisfies Record<string, OptionSpec>;
