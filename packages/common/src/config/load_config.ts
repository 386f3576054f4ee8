import { readFileSync } from 'node:fs';
import { TroveError } from '../errors.ts';
import { type IniEntry, IniSyntaxError, parseIni } from './ini.ts';
import { isOurOption, isTroveOption, knownOptionNames, knownSections } from './known_options.ts';
import { nearestName } from './nearest_name.ts';
import { defaultValue, OptionValueError, optionValue } from './option_value.ts';
import { type ConfigOf, environmentName, type OptionSpec } from './options.ts';
import { substitute } from './substitute.ts';

export interface LoadConfigOptions<Specs extends readonly OptionSpec[]> {
  /** INI files; a later one wins over an earlier one. */
  files: readonly string[];
  /** `process.env` or a part of it; wins over files. */
  env: Readonly<Record<string, string | undefined>>;
  options: Specs;
  /** The service's name, for messages: `trove-api`. */
  service: string;
  /** Told once, in order, of the options that Trove or oslo have and this project does not use: `[section] name`. */
  onUnused?: (names: string[]) => void;
}

/** A value as found: where it stands and what it says. */
interface Found {
  text: string;
  /** For messages: `trove.conf:12` or the variable's name. */
  place: string;
}

/**
 * Reads and checks a service's configuration. Throws `TroveError` `CONFIG_INVALID`, naming file, section and option, for
 * a file that cannot be read, a bad value, or an option that neither this project nor Trove and its oslo libraries have.
 */
export function loadConfig<const Specs extends readonly OptionSpec[]>(load: LoadConfigOptions<Specs>): ConfigOf<Specs> {
  const settings = new Map<string, Found>();
  const unused = new Set<string>();
  for (const file of load.files) {
    for (const entry of readEntries(file)) {
      const place = `${file}:${entry.line}`;
      if (isKnownEntry(entry, load.options, place) === 'unused') unused.add(`[${entry.section}] ${entry.name}`);
      settings.set(settingId(entry.section, entry.name), { text: entry.value, place });
    }
  }
  for (const spec of load.options) {
    const name = environmentName(spec.section, spec.name);
    const text = load.env[name];
    if (text === undefined) continue;
    if (spec.type === 'map') setMap(spec, text, name, settings);
    else settings.set(settingId(spec.section, spec.name), { text, place: name });
  }
  if (unused.size > 0) load.onUnused?.([...unused]);
  return build(load.options, settings) as ConfigOf<Specs>;
}

/** A map's variable holds `name=value`, several separated by commas. */
function setMap(spec: OptionSpec, text: string, place: string, settings: Map<string, Found>): void {
  for (const entry of text.split(',').filter((item) => item.trim() !== '')) {
    const [key = '', ...rest] = entry.split('=');
    if (key.trim() === '' || rest.length === 0)
      throw invalid(place, spec.section, spec.name, 'name=value is expected, several separated by commas');
    settings.set(settingId(spec.section, `${spec.name}.${key.trim()}`), { text: rest.join('=').trim(), place });
  }
}

function readEntries(file: string): IniEntry[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'error';
    throw new TroveError('CONFIG_INVALID', `${file}: cannot be read (${reason})`, { cause: error });
  }
  try {
    return parseIni(text);
  } catch (error) {
    if (!(error instanceof IniSyntaxError)) throw error;
    throw new TroveError('CONFIG_INVALID', `${file}:${error.line}: ${error.message}`);
  }
}

function settingId(section: string, name: string): string {
  return `${section}\n${name}`;
}

function isKnownEntry(entry: IniEntry, specs: readonly OptionSpec[], place: string): 'used' | 'unused' {
  const { section, name } = entry;
  if (specs.some((spec) => takes(spec, section, name)) || isOurOption(section, name)) return 'used';
  if (isTroveOption(section, name)) return 'unused';
  const here = [
    ...specs.filter((spec) => spec.section === section).map((spec) => spec.name),
    ...knownOptionNames(section),
  ];
  if (here.length === 0) {
    const sections = [...specs.map((spec) => spec.section), ...knownSections()];
    throw invalid(
      place,
      section,
      name,
      `there is no such section${hint(nearestName(section, sections), (near) => `[${near}]`)}`,
    );
  }
  throw invalid(place, section, name, `there is no such option${hint(nearestName(name, here), (near) => near)}`);
}

function hint(near: string | undefined, show: (near: string) => string): string {
  return near === undefined ? '' : `; did you mean ${show(near)}?`;
}

function takes(spec: OptionSpec, section: string, name: string): boolean {
  if (spec.section !== section) return false;
  return spec.type === 'map' ? name.startsWith(`${spec.name}.`) : spec.name === name;
}

function invalid(place: string, section: string, name: string, why: string): TroveError {
  return new TroveError('CONFIG_INVALID', `${place}: [${section}] ${name}: ${why}`);
}

function build(specs: readonly OptionSpec[], settings: ReadonlyMap<string, Found>): unknown {
  const config: Record<string, Record<string, unknown>> = {};
  for (const spec of specs) {
    const section = (config[spec.section] ??= {});
    section[spec.name] =
      spec.type === 'map' ? mapValue(spec, specs, settings) : singleValue(spec, spec.name, specs, settings);
  }
  return config;
}

function mapValue(
  spec: OptionSpec,
  specs: readonly OptionSpec[],
  settings: ReadonlyMap<string, Found>,
): Record<string, unknown> {
  const prefix = settingId(spec.section, `${spec.name}.`);
  const entries = [...settings.keys()].filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length));
  return Object.fromEntries(entries.map((key) => [key, singleValue(spec, `${spec.name}.${key}`, specs, settings)]));
}

function singleValue(
  spec: OptionSpec,
  name: string,
  specs: readonly OptionSpec[],
  settings: ReadonlyMap<string, Found>,
): unknown {
  const found = settings.get(settingId(spec.section, name));
  if (!found) return defaultValue(spec);
  try {
    const text = substitute(found.text, spec.section, (section, other) => textOf(section, other, specs, settings));
    return optionValue(spec, text) ?? defaultValue(spec);
  } catch (error) {
    if (!(error instanceof OptionValueError)) throw error;
    throw invalid(found.place, spec.section, name, error.message);
  }
}

function textOf(
  section: string,
  name: string,
  specs: readonly OptionSpec[],
  settings: ReadonlyMap<string, Found>,
): string | undefined {
  const found = settings.get(settingId(section, name));
  if (found) return found.text;
  const spec = specs.find((candidate) => candidate.section === section && candidate.name === name);
  if (!spec) return undefined;
  return spec.default === undefined ? '' : String(spec.default);
}
