import { CliError, EXIT } from './exit.ts';

/** A size in GB as typed. */
export function wholeNumber(argument: string, text: string): number {
  if (/^[0-9]+$/.test(text) && Number(text) > 0) return Number(text);
  throw new CliError(EXIT.usage, `${argument} takes a whole number of GB above 0, not '${text}'.`);
}

/** A limit as typed: -1 is none. */
export function limitNumber(argument: string, text: string): number {
  if (/^(-1|[0-9]+)$/.test(text)) return Number(text);
  throw new CliError(EXIT.usage, `${argument} takes a whole number, or -1 for no limit, not '${text}'.`);
}
