import { isUnavailable, MigrationError } from '@trove/catalog';
import { isSystemError, isTroveError, type TroveError } from '@trove/common';
import type { Command } from 'commander';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import { createProgram, type Program, type Told } from '../program.ts';
import { addCerts } from './commands/certs.ts';
import { addCheck } from './commands/check.ts';
import { addDatastoreUpdates } from './commands/datastores.ts';
import { addDb } from './commands/db.ts';
import { addImageList } from './commands/images.ts';
import { addKeys } from './commands/keys.ts';
import { addQuarantine } from './commands/quarantine.ts';
import { addRebuild } from './commands/rebuild.ts';
import { addReconcile } from './commands/reconcile.ts';
import { createManageSession, type ManageIo } from './session.ts';

/** The `trove-manage` program as a value. */
export function createManage(io: ManageIo): Program {
  return createProgram('trove-manage', io, { build: (program) => addCommands(program, io), tell });
}

function addCommands(program: Command, io: ManageIo): void {
  program
    .description(
      'Manages the catalog: its version, its datastores, its keys; checks it; makes certificates for a trial.',
    )
    .option(
      '--config-file <file>',
      'read this file; may be repeated, a later one wins',
      (file: string, files: string[] | undefined) => [...(files ?? []), file],
    )
    // With what each takes, the names alone would be half a screen wide; `COMMAND --help` has it.
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .addHelpText('after', HELP);
  const session = createManageSession(io, () => program.opts<{ configFile?: string[] }>().configFile ?? []);
  addDb(program, session);
  addDatastoreUpdates(program, session);
  addImageList(program, session);
  addCerts(program, session);
  addKeys(program, session);
  addQuarantine(program, session);
  addCheck(program, session);
  addReconcile(program, session);
  addRebuild(program, session);
}

const HELP = `
Without --config-file: trove.conf in $TROVE_HOME (default .trove), else /etc/trove/trove.conf.
TROVE_DATABASE__CONNECTION overrides [database] connection.

Exit codes:
  0 done, 1 refused, 2 wrong usage or configuration, 3 not found, 4 the catalog cannot be reached`;

function tell(error: unknown): Told | undefined {
  if (error instanceof CliError) return { text: error.message, exitCode: error.exitCode };
  if (error instanceof MigrationError) return { text: error.message, exitCode: EXIT.refused };
  if (isTroveError(error)) return { text: withCause(error), exitCode: troveExit(error) };
  if (isUnavailable(error) && error instanceof Error)
    return { text: `the catalog cannot be reached: ${error.message}`, exitCode: EXIT.unreachable };
  if (isSystemError(error)) return { text: error.message, exitCode: EXIT.refused };
  if (isDatabaseRefusal(error)) return { text: `the database refused: ${error.message}`, exitCode: EXIT.refused };
  return undefined;
}

const NOT_FOUND: readonly string[] = ['NOT_FOUND', 'DATASTORE_NOT_FOUND', 'DATASTORE_VERSION_NOT_FOUND'];

function troveExit({ code }: TroveError): ExitCode {
  if (code === 'CONFIG_INVALID') return EXIT.usage;
  if (code === 'CATALOG_UNAVAILABLE') return EXIT.unreachable;
  return NOT_FOUND.includes(code) ? EXIT.notFound : EXIT.refused;
}

function withCause(error: TroveError): string {
  return error.code === 'CATALOG_UNAVAILABLE' && error.cause instanceof Error
    ? `${error.message} (${error.cause.message})`
    : error.message;
}

/** What MySQL says itself, such as a wrong password or a right that the account lacks: it is for the operator to read. */
function isDatabaseRefusal(error: unknown): error is Error {
  return error instanceof Error && 'sqlMessage' in error;
}
