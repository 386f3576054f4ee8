import { editIni, Secret, type TransportAccount, urlWithAccount } from '@trove/common';
import type { InjectedFiles } from '@trove/compute';
import type { InjectedKey } from '../../guests/guest_keys.ts';
import type { AgentSettings } from './tools.ts';

export const GUEST_INFO_FILE = '/etc/trove/conf.d/guest_info.conf';
export const GUEST_AGENT_FILE = '/etc/trove/trove-guestagent.conf';
const AUTHORITY_NAME = 'broker-ca.pem';
export const BROKER_AUTHORITY_FILE = `/etc/trove/${AUTHORITY_NAME}`;

/** Who a guest is, as its agent is told. */
export interface GuestIdentity {
  readonly instanceId: string;
  readonly projectId: string;
  readonly datastoreManager: string;
  readonly datastoreVersion: string;
  /** Absent: the guest speaks in clear. */
  readonly key?: InjectedKey | undefined;
  /** Of a guest with a key; absent: it shares that of the URL. */
  readonly account?: TransportAccount | undefined;
}

/** The files that a server is given before its agent starts. The only thing that tells sealed from clear is the key. */
export function guestFiles(identity: GuestIdentity, agent: AgentSettings): InjectedFiles {
  return {
    [GUEST_INFO_FILE]: guestInfo(identity),
    [GUEST_AGENT_FILE]: guestAgent(agent, identity) + brokerTls(agent),
    ...(agent.brokerAuthority === undefined ? {} : { [BROKER_AUTHORITY_FILE]: agent.brokerAuthority }),
  };
}

/**
 * A server's files as they were, with this key, or none, and this account in place of whatever the guest had made of them
 * meanwhile.
 */
export function filesWithKey(
  files: InjectedFiles,
  key: InjectedKey | undefined,
  account: TransportAccount | undefined,
): InjectedFiles {
  const { [GUEST_INFO_FILE]: info = '', [GUEST_AGENT_FILE]: agent = '' } = files;
  const url = transportUrlIn(files);
  return {
    ...files,
    [GUEST_INFO_FILE]: editIni(info, {
      instance_rpc_encr_key: key?.text.reveal(),
      instance_rpc_key_version: key === undefined || key.version === 1 ? undefined : String(key.version),
      instance_rpc_bootstrap_until: undefined,
      instance_rpc_pending_key: undefined,
      instance_rpc_pending_version: undefined,
    }),
    [GUEST_AGENT_FILE]: editIni(agent, {
      sealed_transport_passwords: undefined,
      ...(account !== undefined &&
        url !== undefined && { sealed_transport_url: urlWithAccount(url, account, 'sealed_transport_url').reveal() }),
    }),
  };
}

/** `sealed_transport_url` in the files of a server. */
export function transportUrlIn(files: InjectedFiles): Secret | undefined {
  const text = optionIn(files[GUEST_AGENT_FILE], 'sealed_transport_url');
  return text === undefined ? undefined : new Secret(text);
}

/** The key that an agent with these files speaks under; undefined for one that speaks in clear. */
export function keyInFiles(files: InjectedFiles): { readonly text: Secret; readonly version: number } | undefined {
  const text = optionIn(files[GUEST_INFO_FILE], 'instance_rpc_encr_key');
  const version = optionIn(files[GUEST_INFO_FILE], 'instance_rpc_key_version') ?? '1';
  return text === undefined ? undefined : { text: new Secret(text), version: Number(version) };
}

function optionIn(file: string | undefined, name: string): string | undefined {
  return new RegExp(`^${name} *= *(.*)$`, 'm').exec(file ?? '')?.[1]?.replaceAll('$$', '$');
}

function guestInfo({ instanceId, projectId, datastoreManager, datastoreVersion, key }: GuestIdentity): string {
  return section([
    ['guest_id', instanceId],
    ['datastore_manager', datastoreManager],
    ['datastore_version', datastoreVersion],
    ['tenant_id', projectId],
    ...(key === undefined
      ? []
      : [
          ['instance_rpc_encr_key', key.text.reveal()] as const,
          ...(key.version === 1 ? [] : [['instance_rpc_key_version', String(key.version)] as const]),
          ...(key.bootstrapUntil === undefined
            ? []
            : [['instance_rpc_bootstrap_until', String(key.bootstrapUntil)] as const]),
        ]),
  ]);
}

function guestAgent(agent: AgentSettings, { key, account }: GuestIdentity): string {
  const shared = agent.sealedTransportUrl;
  const sealed = account === undefined ? shared : urlWithAccount(shared, account, 'sealed_transport_url');
  return section([
    key !== undefined ? ['sealed_transport_url', sealed.reveal()] : ['transport_url', agent.transportUrl.reveal()],
    ['control_exchange', agent.controlExchange],
    ['conductor_queue', agent.conductorQueue],
    ['report_interval', String(agent.reportIntervalSeconds)],
  ]);
}

/** The authority lies beside the file, and is named so: a server may have both elsewhere than in `/etc`. */
function brokerTls({ brokerAuthority }: AgentSettings): string {
  return brokerAuthority === undefined ? '' : `[oslo_messaging_rabbit]\nssl_ca_file=${AUTHORITY_NAME}\n`;
}

/** In oslo's INI a `$` begins a reference to another option; `$$` is the sign itself. */
function section(options: readonly (readonly [string, string])[]): string {
  const lines = options.map(([name, value]) => `${name}=${value.replaceAll('$', '$$$$')}`);
  return `[DEFAULT]\n${lines.join('\n')}\n`;
}
