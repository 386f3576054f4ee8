import type { Secret } from '@trove/common';

/** A secret and what an operator calls it. */
export interface NamedSecret {
  readonly name: string;
  readonly secret: Secret;
}

const SHORTEST = 8;
/** How much of a form is looked up at each place of a text before the rest is compared. */
const PREFIX = SHORTEST;

interface Form {
  readonly name: string;
  readonly text: string;
}

/** Secrets as they are and as base64, base64url, hex and percent-encoded text; all are looked for in one pass. */
export class SecretForms {
  /** Names of secrets too short to be told from ordinary text. */
  readonly tooShort: readonly string[];
  /** Characters of the longest form. */
  readonly longest: number;
  readonly #forms: ReadonlyMap<string, readonly Form[]>;

  constructor(secrets: readonly NamedSecret[]) {
    const long = secrets.filter(({ secret }) => secret.reveal().length >= SHORTEST);
    this.tooShort = [...new Set(secrets.filter((named) => !long.includes(named)).map(({ name }) => name))];
    this.#forms = formsByPrefix(long);
    this.longest = Math.max(0, ...[...this.#forms.values()].flat().map(({ text }) => text.length));
  }

  /** Names of the secrets that begin at this place of the text. */
  at(text: string, place: number): readonly string[] {
    const forms = this.#forms.get(text.slice(place, place + PREFIX)) ?? [];
    return forms.filter((form) => text.startsWith(form.text, place)).map(({ name }) => name);
  }

  /** Names of those that are anywhere in it. */
  in(text: string): ReadonlySet<string> {
    const found = new Set<string>();
    if (this.#forms.size === 0) return found;
    for (let place = 0; place < text.length; place += 1) for (const name of this.at(text, place)) found.add(name);
    return found;
  }
}

function formsByPrefix(secrets: readonly NamedSecret[]): ReadonlyMap<string, readonly Form[]> {
  const forms = secrets.flatMap(({ name, secret }) => {
    const bytes = Buffer.from(secret.reveal(), 'utf8');
    const encoded = [bytes.toString('hex'), bytes.toString('base64url'), bytes.toString('base64').replace(/=+$/, '')];
    const texts = [secret.reveal(), encodeURIComponent(secret.reveal()), ...encoded];
    return [...new Set(texts)].map((text) => ({ name, text }));
  });
  return Map.groupBy(forms, ({ text }) => text.slice(0, PREFIX));
}
