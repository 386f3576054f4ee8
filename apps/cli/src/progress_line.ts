import type { Output } from './cli.ts';
import { printable } from './table.ts';

const DEFAULT_COLUMNS = 80;

/** On a terminal one line that is written over, with the seconds gone by; elsewhere a line per change. */
export function progressLine(output: Output): { show(text: string, elapsedMs: number): void; end(): void } {
  let shown = '';
  return {
    show(text, elapsedMs) {
      const line = printable(text);
      if (output.isTTY === true) {
        const time = ` (${(elapsedMs / 1000).toFixed(0)} s)`;
        // A longer one would wrap, and only its last part would be written over.
        const room = Math.max(0, (output.columns ?? DEFAULT_COLUMNS) - time.length - 1);
        output.write(`\r\u001b[K${line.slice(0, room)}${time}`);
      } else if (line !== shown) output.write(`${line}\n`);
      shown = line;
    },
    end() {
      if (output.isTTY === true && shown !== '') output.write('\n');
    },
  };
}
