import { createReadStream } from 'node:fs';
import type { Secret } from '@trove/common';
import type { Finding } from './findings.ts';

/** A secret and what an operator calls it. */
export interface NamedSecret {
  readonly name: string;
  readonly secret: Secret;
}

export interface ScannedLogs {
  readonly findings: readonly Finding[];
  /** Names of secrets too short to be told from ordinary text. */
  readonly tooShort: readonly string[];
}

const SHORTEST = 8;
/** How much of a form is looked up at each place of a log before the rest is compared. */
const PREFIX = SHORTEST;

interface Form {
  readonly name: string;
  readonly text: string;
}

/**
 * Looks for secrets in log files, as they are and as base64, base64url, hex and percent-encoded text. One pass for all of
 * them; a file is never held as a whole. A finding names file, line and secret, never its text.
 */
export async function scanLogs(files: readonly string[], secrets: readonly NamedSecret[]): Promise<ScannedLogs> {
  const long = secrets.filter(({ secret }) => secret.reveal().length >= SHORTEST);
  const forms = formsByPrefix(long);
  const longest = Math.max(0, ...[...forms.values()].flat().map(({ text }) => text.length));
  const findings: Finding[] = [];
  for (const file of files) findings.push(...(await scanFile(file, forms, longest)));
  const tooShort = secrets.filter((named) => !long.includes(named)).map(({ name }) => name);
  return { findings, tooShort: [...new Set(tooShort)] };
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

async function scanFile(
  file: string,
  forms: ReadonlyMap<string, readonly Form[]>,
  longest: number,
): Promise<readonly Finding[]> {
  const findings = new Map<string, Finding>();
  let [rest, line] = ['', 1];
  for await (const chunk of createReadStream(file, 'utf8')) {
    const text: string = rest + String(chunk);
    // The end of a chunk may be the beginning of a secret: it is looked at again with what follows.
    const until = Math.max(0, text.length - longest);
    line = scanText({ text, until, line, file }, forms, findings);
    rest = text.slice(until);
  }
  scanText({ text: rest, until: rest.length, line, file }, forms, findings);
  return [...findings.values()];
}

function scanText(
  part: { text: string; until: number; line: number; file: string },
  forms: ReadonlyMap<string, readonly Form[]>,
  findings: Map<string, Finding>,
): number {
  const { text, until, file } = part;
  let { line } = part;
  for (let at = 0; at < until; at += 1) {
    if (text.charCodeAt(at) === NEWLINE) line += 1;
    for (const form of forms.get(text.slice(at, at + PREFIX)) ?? []) {
      if (!text.startsWith(form.text, at)) continue;
      const key = `log:${file}:${form.name}`;
      if (!findings.has(key)) findings.set(key, shown(key, `${file}, line ${line}`, form.name));
    }
  }
  return line;
}

const NEWLINE = 10;

function shown(key: string, where: string, name: string): Finding {
  return {
    key,
    instanceId: null,
    what: `${where}: holds ${name}`,
    since: null,
    todo: 'Change that secret, delete the log, and find the line that wrote it.',
  };
}
