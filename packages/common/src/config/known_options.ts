import type { OptionSpec } from './options.ts';
import { sharedOptions } from './shared_options.ts';
import { TROVE_OPTION_NAMES } from './trove_option_names.ts';

/** Options of this project that one service alone has, by section; services may share a file, so each accepts them all. */
const SINGLE_SERVICE_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  DEFAULT: [
    'broker_management_ca',
    'broker_management_url',
    'default_datastore',
    'public_endpoint',
    'reconcile_dry_run',
    'reconcile_grace',
    'reconcile_interval',
    'reconcile_max_actions',
    'guest_id',
    'tenant_id',
    'datastore_manager',
    'datastore_version',
    'instance_rpc_encr_key',
    'instance_rpc_key_version',
    'instance_rpc_bootstrap_until',
    'instance_rpc_pending_key',
    'instance_rpc_pending_version',
    'sealed_transport_passwords',
  ],
};

const troveNames = new Map(
  Object.entries(TROVE_OPTION_NAMES).map(
    ([section, names]) => [section, new Set(names.split(/\s+/).filter(Boolean))] as const,
  ),
);
const shared: readonly OptionSpec[] = Object.values(sharedOptions);

/** True for an option of any service of this project. */
export function isOurOption(section: string, name: string): boolean {
  if (SINGLE_SERVICE_OPTIONS[section]?.includes(name)) return true;
  return shared.some((spec) => {
    if (spec.section !== section) return false;
    return spec.type === 'map' ? name.startsWith(`${spec.name}.`) : spec.name === name;
  });
}

/** True for an option that Trove or a library of its has. */
export function isTroveOption(section: string, name: string): boolean {
  return troveNames.get(section)?.has(name) ?? false;
}

/** The names that a section may hold; none where there is no such section. */
export function knownOptionNames(section: string): string[] {
  const ours = shared.filter((spec) => spec.section === section).map((spec) => spec.name);
  return [...ours, ...(SINGLE_SERVICE_OPTIONS[section] ?? []), ...(troveNames.get(section) ?? [])];
}

export function knownSections(): string[] {
  return [...new Set([...shared.map((spec) => spec.section), ...troveNames.keys()])];
}
