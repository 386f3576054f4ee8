import type { Secret } from '../secret.ts';

/** How the text of an option becomes a value. `map` takes `<name>.<anything> = text` and gives a record. */
export type OptionType = 'string' | 'integer' | 'number' | 'boolean' | 'list' | 'map';

/** One option: what the loader checks it by, and what its line in docs/configuration.md says. */
export interface OptionSpec {
  readonly section: string;
  readonly name: string;
  readonly type: OptionType;
  /** One or two sentences for the reference page. */
  readonly help: string;
  /** Absent: the option is `undefined` (a list or map: empty) unless it is set. */
  readonly default?: string | number | boolean | readonly string[];
  readonly choices?: readonly string[];
  /** Values that the option will have in a later release: refused by name until then. */
  readonly laterChoices?: readonly string[];
  /** Inclusive bounds of a number. */
  readonly min?: number;
  readonly max?: number;
  /** The unit of a number: `s`, `GB`, `MB`, `ms`. */
  readonly unit?: string;
  /** The value (each value of a list) comes as a `Secret` and stands in no message. */
  readonly secret?: true;
}

/** Names an app's options; the types of section, name and default are kept for `ConfigOf`. */
export function defineOptions<const Specs extends readonly OptionSpec[]>(specs: Specs): Specs {
  return specs;
}

type Sealed<Spec extends OptionSpec, Value> = Spec extends { secret: true } ? Secret<Value> : Value;

type TextOf<Spec extends OptionSpec> = Spec extends { choices: readonly (infer Choice)[] } ? Choice : string;

type ValueOf<Spec extends OptionSpec> = Spec['type'] extends 'list'
  ? readonly Sealed<Spec, TextOf<Spec>>[]
  : Spec['type'] extends 'map'
    ? Readonly<Record<string, string>>
    :
        | (Spec['type'] extends 'boolean'
            ? boolean
            : Spec['type'] extends 'integer' | 'number'
              ? number
              : Sealed<Spec, TextOf<Spec>>)
        | (Spec extends { default: string | number | boolean } ? never : undefined);

type SpecIn<Specs extends readonly OptionSpec[], Section> = Extract<Specs[number], { section: Section }>;

/** What `loadConfig` gives for a table: `config.<section>.<name>`. */
export type ConfigOf<Specs extends readonly OptionSpec[]> = {
  readonly [Section in Specs[number]['section']]: {
    readonly [Spec in SpecIn<Specs, Section> as Spec['name']]: ValueOf<Spec>;
  };
};

/** `TROVE_REPORT_INTERVAL` for `[DEFAULT] report_interval`, `TROVE_DATABASE__CONNECTION` for `[database] connection`. */
export function environmentName(section: string, name: string): string {
  return (section === 'DEFAULT' ? `TROVE_${name}` : `TROVE_${section}__${name}`).toUpperCase();
}
