import { environmentName, type OptionSpec } from '../../packages/common/src/index.ts';
import type { OptionTable } from './option_tables.ts';

const HEAD = `# Configuration

Made from the services' option tables by \`npm run docs\`; a check fails when it is stale.

Each service reads INI files, \`--config-file FILE\` (repeatable; a later file wins), then the environment, which wins over
files. Files are read as oslo.config reads them: \`name = value\` or \`name: value\`, indented lines continue a value, \`#\` and
\`;\` in the first column begin a comment, \`$name\` and \`\${section.name}\` stand for another option's value, \`$$\` for a dollar
sign. Services may share one file: each takes from it what it knows. Options that Trove and its libraries have and this
project does not use are listed once in the log at start; any other name is an error that says which was probably meant.

An option without a default is unset unless it is given. Values of options marked *secret* appear in no log and no message.
`;

interface DocumentedOption {
  spec: OptionSpec;
  services: string[];
}

/** docs/configuration.md. Throws where two services give one option different meanings. */
export function renderConfigPage(tables: readonly OptionTable[]): string {
  const options = new Map<string, DocumentedOption>();
  for (const { service, options: specs } of tables) {
    for (const spec of specs) {
      const id = `[${spec.section}] ${spec.name}`;
      const known = options.get(id);
      if (!known) options.set(id, { spec, services: [service] });
      else if (JSON.stringify(known.spec) === JSON.stringify(spec)) known.services.push(service);
      else throw new Error(`${id} differs between ${known.services.join(', ')} and ${service}`);
    }
  }
  const sections = [...new Set([...options.values()].map(({ spec }) => spec.section))].toSorted(defaultFirst);
  const all = [...options.values()].toSorted((a, b) => a.spec.name.localeCompare(b.spec.name, 'en'));
  return HEAD + sections.map((section) => renderSection(section, all)).join('');
}

function defaultFirst(a: string, b: string): number {
  return Number(b === 'DEFAULT') - Number(a === 'DEFAULT') || a.localeCompare(b, 'en');
}

function renderSection(section: string, all: readonly DocumentedOption[]): string {
  const own = all.filter(({ spec }) => spec.section === section);
  return `\n## [${section}]\n${own.map(renderOption).join('')}`;
}

function renderOption({ spec, services }: DocumentedOption): string {
  const name = spec.type === 'map' ? `${spec.name}.<name>` : spec.name;
  const facts = [kindOf(spec), defaultOf(spec), ...(spec.secret ? ['*secret*'] : [])];
  const variable = `\`${environmentName(spec.section, spec.name)}\``;
  facts.push(spec.type === 'map' ? `${variable}: \`<name>=…\`, several separated by commas` : variable);
  return `\n### ${name}\n\n${facts.join(' · ')}\n\n${spec.help}\n\nRead by ${services.join(', ')}.\n`;
}

function kindOf(spec: OptionSpec): string {
  if (spec.choices)
    return `${listed(spec.choices)}${spec.laterChoices ? `; in a later release also ${spec.laterChoices.map((choice) => `\`${choice}\``).join(', ')}` : ''}`;
  const kind = {
    string: 'text',
    integer: 'whole number',
    number: 'number',
    boolean: 'true or false',
    list: 'list',
    map: 'text',
  };
  const unit = spec.unit === undefined ? '' : ` of ${spec.unit}`;
  return `${kind[spec.type]}${unit}${boundsOf(spec)}`;
}

function listed(choices: readonly string[]): string {
  const names = choices.map((choice) => `\`${choice}\``).join(', ');
  return choices.length === 1 ? names : `one of ${names}`;
}

function boundsOf({ min, max }: OptionSpec): string {
  if (min !== undefined && max !== undefined) return `, ${min} to ${max}`;
  if (min !== undefined) return `, at least ${min}`;
  return max === undefined ? '' : `, at most ${max}`;
}

function defaultOf(spec: OptionSpec): string {
  return spec.default === undefined ? 'no default' : `default \`${String(spec.default)}\``;
}
