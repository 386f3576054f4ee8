import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomText } from '@trove/common';
import { homeAt, prepareHome } from '../../home/home.ts';
import { CONFIG_FILES, type ConfigFileName } from '../outside.ts';

/** Where one run of the walkthrough lives. */
export interface Deployment {
  readonly folder: string;
  readonly apiPort: number;
  /** `memory://` where the bus is in this process. */
  readonly transportUrl: string;
  /** As in `[database] connection`. */
  readonly connection: string;
  readonly instancesFolder: string;
  readonly tokensFile: string;
  configPath(name: ConfigFileName): string;
}

const KEY_CHARACTERS = 48;

export interface DeploymentOptions {
  readonly folder: string;
  readonly apiPort: number;
  readonly transportUrl: string;
  readonly connection: string;
  readonly defaultDatastore: string;
  /** As in `broker_management_url`; absent where the bus is in this process. */
  readonly brokerManagementUrl?: string;
}

/** Writes the three configuration files and the tokens, as an operator would have them. */
export function writeDeployment(options: DeploymentOptions): Deployment {
  const home = homeAt(join(options.folder, 'home'));
  prepareHome(home);
  // The guests' account has to pass through to its own folders; what is secret is closed by itself.
  for (const folder of [options.folder, home.folder]) chmodSync(folder, 0o711);
  mkdirSync(home.instancesFolder, { recursive: true });
  const deployment: Deployment = {
    folder: options.folder,
    apiPort: options.apiPort,
    transportUrl: options.transportUrl,
    connection: options.connection,
    instancesFolder: home.instancesFolder,
    tokensFile: home.tokensFile,
    configPath: (name) => join(options.folder, name),
  };
  const texts = configTexts(deployment, options);
  for (const name of CONFIG_FILES) writeFileSync(deployment.configPath(name), texts[name], { mode: 0o600 });
  return deployment;
}

function configTexts(
  deployment: Deployment,
  { defaultDatastore, brokerManagementUrl }: DeploymentOptions,
): Record<ConfigFileName, string> {
  const controlKey = randomText(KEY_CHARACTERS);
  const instanceKey = randomText(KEY_CHARACTERS);
  const uplinkKey = randomText(KEY_CHARACTERS);
  const management = brokerManagementUrl === undefined ? '' : `broker_management_url = ${brokerManagementUrl}\n`;
  const common = (more: string) => `[DEFAULT]
enable_secure_rpc_messaging = False
transport_url = ${deployment.transportUrl}
control_exchange = trove
host = walkthrough
report_interval = 2
log_level = warn
taskmanager_rpc_encr_key = ${controlKey}
${more}
[database]
connection = ${deployment.connection}

[compute_local]
root = ${deployment.instancesFolder}
`;
  return {
    'trove.conf': `${common(`bind_host = 127.0.0.1\nbind_port = ${deployment.apiPort}\ndefault_datastore = ${defaultDatastore}\nauth_strategy = static\n`)}
[static_auth]
tokens_file = ${deployment.tokensFile}
`,
    'trove-taskmanager.conf': common(
      `inst_rpc_key_encr_key = ${instanceKey}\ninst_rpc_uplink_encr_key = ${uplinkKey}\n${management}`,
    ),
    'trove-conductor.conf': common(`inst_rpc_uplink_encr_key = ${uplinkKey}\n`),
  };
}
