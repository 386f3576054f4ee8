/** A range of IPv4 addresses: `base` is its first, as a number, `size` how many there are. */
export interface Subnet {
  readonly base: number;
  readonly size: number;
}

/** Of `10.89.0.0/16`; undefined where the text is no range of 4 to 2^24 addresses. Bits behind the prefix are dropped. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = '', prefix = '', ...more] = text.split('/');
  const bits = Number(prefix);
  const number = addressNumber(address);
  if (number === undefined || more.length > 0 || !/^\d{1,2}$/.test(prefix) || bits < 8 || bits > 30) return undefined;
  const size = 2 ** (32 - bits);
  return { base: number - (number % size), size };
}

export function formatSubnet({ base, size }: Subnet): string {
  return `${formatAddress(base)}/${32 - Math.log2(size)}`;
}

/** Undefined where the text is no IPv4 address. */
export function addressNumber(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return undefined;
  return parts.reduce((number, part) => number * 256 + Number(part), 0);
}

export function formatAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

export function contains({ base, size }: Subnet, address: number): boolean {
  return address >= base && address < base + size;
}

export function overlap(one: Subnet, other: Subnet): boolean {
  return one.base < other.base + other.size && other.base < one.base + one.size;
}

/** What the engine may give out by itself, to containers that are no instances: the first 256 addresses, or half of them. */
export function engineRange({ base, size }: Subnet): Subnet {
  return { base, size: Math.min(256, size / 2) };
}
