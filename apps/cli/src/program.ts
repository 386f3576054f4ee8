import { Command, CommanderError } from 'commander';
import { EXIT, type ExitCode } from './exit.ts';

/** Where a program writes. */
export interface Outputs {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** A program as a value; `run` takes the arguments after the program's name and gives the exit code. */
export interface Program {
  run(argv: readonly string[]): Promise<ExitCode>;
}

/** What an error tells, and the shell's code for it. */
export interface Told {
  readonly text: string;
  readonly exitCode: ExitCode;
}

/** Wrong usage is told by itself, other errors as `tell` says; one that it gives nothing for is thrown on. */
export function createProgram(
  name: string,
  outputs: Outputs,
  options: { readonly build: (command: Command) => void; readonly tell: (error: unknown) => Told | undefined },
): Program {
  return {
    async run(argv) {
      const command = new Command(name)
        .configureOutput({
          writeOut: (text) => outputs.stdout.write(text),
          writeErr: (text) => outputs.stderr.write(text),
          outputError: (text, write) => write(text.replace(/^error: /, `${name}: `)),
        })
        .showHelpAfterError(`  \`${name} --help\` lists the commands, \`${name} COMMAND --help\` what one takes.`)
        .exitOverride();
      try {
        options.build(command);
        await command.parseAsync([...argv], { from: 'user' });
        return EXIT.ok;
      } catch (error) {
        if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
        const told = options.tell(error);
        if (told === undefined) throw error;
        outputs.stderr.write(`${name}: ${told.text}\n`);
        return told.exitCode;
      }
    },
  };
}
