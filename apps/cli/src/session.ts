import type { CliIo } from './cli.ts';
import { findConnection } from './connection.ts';
import { propertyTable, renderTable } from './table.ts';
import { type TlsOptions, troveFetch } from './tls.ts';
import { createTroveClient, type Json, type JsonObject, type TroveClient } from './trove_client.ts';
import type { Columns } from './views.ts';

/** What stands before the command's name. */
export interface CliOptions extends TlsOptions {
  json?: boolean;
  as?: string;
}

export interface Parts {
  readonly items: readonly JsonObject[];
  readonly columns: Columns;
}

/** What each command has: a client, made when first asked for, and how to print. */
export interface Session {
  readonly io: CliIo;
  client(): TroveClient;
  printList(items: readonly JsonObject[], columns: Columns): void;
  /** One thing: its properties as a table, with one of its parts below, or the object itself as JSON. */
  printOne(object: JsonObject, properties: Readonly<Record<string, string>>, parts?: Parts): void;
  /** A line for people; nothing with `--json`. */
  say(line: string): void;
}

export function createSession(io: CliIo, options: () => CliOptions): Session {
  let client: TroveClient | undefined;
  const printJson = (value: Json) => io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  return {
    io,
    client() {
      client ??= createTroveClient(findConnection(io.env, options().as), troveFetch(io, options()), io);
      return client;
    },
    printList(items, columns) {
      if (options().json) printJson([...items]);
      else io.stdout.write(listTable(items, columns));
    },
    printOne(object, properties, parts) {
      if (options().json) return void printJson(object);
      io.stdout.write(propertyTable(properties));
      if (parts !== undefined) io.stdout.write(listTable(parts.items, parts.columns));
    },
    say(line) {
      if (!options().json) io.stdout.write(`${line}\n`);
    },
  };
}

function listTable(items: readonly JsonObject[], columns: Columns): string {
  const cells = Object.values(columns);
  return renderTable(
    Object.keys(columns),
    items.map((item) => cells.map((cell) => cell(item))),
  );
}
