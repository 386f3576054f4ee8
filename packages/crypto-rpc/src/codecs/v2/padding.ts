import { Refusal } from '../../rpc/refusal.ts';

const SMALL = [256, 1024, 4096] as const;
const STEP = 16384;
/** The largest plaintext that an envelope of 1 MiB holds. */
const LARGEST = 63 * STEP;
const SPACE = 0x20;

/** The length that a plaintext is filled up to. Throws a `Refusal` (`size`) above 1008 KiB. */
function paddedLength(length: number): number {
  for (const size of SMALL) if (length <= size) return size;
  const padded = Math.ceil(length / STEP) * STEP;
  if (padded > LARGEST) throw new Refusal('size');
  return padded;
}

export function isPaddedLength(length: number): boolean {
  return (
    length === 256 || length === 1024 || length === 4096 || (length > 0 && length <= LARGEST && length % STEP === 0)
  );
}

/** JSON text filled with spaces, which JSON readers skip. */
export function pad(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const padded = Buffer.alloc(paddedLength(length), SPACE);
  padded.write(text, 0, 'utf8');
  return padded;
}
