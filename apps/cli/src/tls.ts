import { createTlsFetch, isTroveError, loadTlsClient, type PlainFetch, type TlsFetch } from '@trove/common';
import type { CliIo } from './cli.ts';
import { CliError, EXIT } from './exit.ts';

/** As OpenStack's clients have them. */
export interface TlsOptions {
  osCacert?: string;
  osCert?: string;
  osKey?: string;
}

const NAMES = { ca: '--os-cacert (OS_CACERT)', cert: '--os-cert (OS_CERT)', key: '--os-key (OS_KEY)' };

/**
 * `fetch` for https, checked against `--os-cacert` or `OS_CACERT` and showing `OS_CERT` where it is set; plain http as it is.
 * Throws `CliError`: usage where a file does not hold or https has no authority, unreachable where the server is refused.
 */
export function troveFetch(io: CliIo, options: TlsOptions): PlainFetch {
  let opened: Promise<TlsFetch> | undefined;
  return async (url, request) => {
    if (!url.startsWith('https:')) return await io.fetch(url, request);
    opened ??= open(io, options);
    const { fetch } = await opened;
    try {
      return await fetch(url, request);
    } catch (error) {
      throw isTroveError(error) ? new CliError(EXIT.unreachable, error.message) : error;
    }
  };
}

async function open({ env }: CliIo, options: TlsOptions): Promise<TlsFetch> {
  const given = (value: string | undefined): string | undefined => (value === '' ? undefined : value);
  const files = {
    ca: given(options.osCacert ?? env.OS_CACERT),
    cert: given(options.osCert ?? env.OS_CERT),
    key: given(options.osKey ?? env.OS_KEY),
  };
  try {
    return await createTlsFetch(loadTlsClient(files, NAMES));
  } catch (error) {
    throw isTroveError(error) ? new CliError(EXIT.usage, error.message) : error;
  }
}
