import type { Command } from 'commander';
import { addChanges } from './commands/changes.ts';
import { addCreate } from './commands/create.ts';
import { addDatabases } from './commands/databases.ts';
import { addDatastores } from './commands/datastores.ts';
import { addInstances } from './commands/instances.ts';
import { addQuotas } from './commands/quotas.ts';
import { addTasks } from './commands/tasks.ts';
import { addUsers } from './commands/users.ts';
import type { Environment } from './connection.ts';
import { CliError } from './exit.ts';
import { createProgram, type Program } from './program.ts';
import { type CliOptions, createSession } from './session.ts';

/** What the program touches. `stdin` is read only where a password is asked for. */
export interface CliIo {
  readonly fetch: typeof fetch;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin?: NodeJS.ReadableStream;
  readonly env: Environment;
  /** Calls the listener at Ctrl-C, instead of ending the process, until what it returns is called. */
  readonly onInterrupt?: (listener: () => void) => () => void;
}

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Of a terminal: how many characters a line holds. */
  readonly columns?: number;
}

/** The `trove` program as a value. */
export function createCli(io: CliIo): Program {
  return createProgram('trove', io, {
    build: (program) => addCommands(program, io),
    tell: (error) => (error instanceof CliError ? { text: error.message, exitCode: error.exitCode } : undefined),
  });
}

function addCommands(program: Command, io: CliIo): void {
  program
    .description('Databases as a service: make and manage database instances.')
    .option('--json', 'print JSON instead of tables')
    .option('--os-cacert <file>', 'the authorities, in PEM, that an https endpoint is checked against')
    .option('--os-cert <file>', 'a client certificate, in PEM')
    .option('--os-key <file>', 'its key, in PEM')
    .option('--as <user>', 'speak as this user of $TROVE_HOME/tokens.json')
    .addHelpText('after', ENVIRONMENT_HELP);
  const session = createSession(io, () => program.opts<CliOptions>());
  addInstances(program, session);
  addCreate(program, session);
  addChanges(program, session);
  addTasks(program, session);
  addDatabases(program, session);
  addUsers(program, session);
  addDatastores(program, session);
  addQuotas(program, session);
}

const ENVIRONMENT_HELP = `
Environment:
  TROVE_URL, TROVE_TOKEN, TROVE_PROJECT_ID   endpoint, token and project; OS_TOKEN, OS_PROJECT_ID and
                                             OS_DATABASE_ENDPOINT_OVERRIDE are read where these are not set
  OS_CACERT, OS_CERT, OS_KEY                 as --os-cacert, --os-cert and --os-key; https needs the first
  TROVE_HOME                                 folder of a standalone control plane, default .trove
  TROVE_USER                                 which user of its tokens.json to be, default the first (an admin)

Exit codes:
  0 done, 1 refused by the server, 2 wrong usage, 3 not found, 4 no server reached, 5 --wait ended otherwise,
  130 --wait was interrupted and the work goes on`;
