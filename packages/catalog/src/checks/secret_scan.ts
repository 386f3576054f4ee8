import { createReadStream } from 'node:fs';
import type { Finding } from './findings.ts';
import { type NamedSecret, SecretForms } from './secret_forms.ts';

export interface ScannedLogs {
  readonly findings: readonly Finding[];
  /** Names of secrets too short to be told from ordinary text. */
  readonly tooShort: readonly string[];
}

/**
 * Looks for secrets in log files, as they are and as base64, base64url, hex and percent-encoded text. One pass for all of
 * them; a file is never held as a whole. A finding names file, line and secret, never its text.
 */
export async function scanLogs(files: readonly string[], secrets: readonly NamedSecret[]): Promise<ScannedLogs> {
  const forms = new SecretForms(secrets);
  const findings: Finding[] = [];
  for (const file of files) findings.push(...(await scanFile(file, forms)));
  return { findings, tooShort: forms.tooShort };
}

async function scanFile(file: string, forms: SecretForms): Promise<readonly Finding[]> {
  const findings = new Map<string, Finding>();
  let [rest, line] = ['', 1];
  for await (const chunk of createReadStream(file, 'utf8')) {
    const text: string = rest + String(chunk);
    // The end of a chunk may be the beginning of a secret: it is looked at again with what follows.
    const until = Math.max(0, text.length - forms.longest);
    line = scanText({ text, until, line, file }, forms, findings);
    rest = text.slice(until);
  }
  scanText({ text: rest, until: rest.length, line, file }, forms, findings);
  return [...findings.values()];
}

function scanText(
  part: { text: string; until: number; line: number; file: string },
  forms: SecretForms,
  findings: Map<string, Finding>,
): number {
  const { text, until, file } = part;
  let { line } = part;
  for (let at = 0; at < until; at += 1) {
    if (text.charCodeAt(at) === NEWLINE) line += 1;
    for (const name of forms.at(text, at)) {
      const key = `log:${file}:${name}`;
      if (!findings.has(key)) findings.set(key, shown(key, `${file}, line ${line}`, name));
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
