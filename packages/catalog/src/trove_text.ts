/**
 * Whether Trove's text columns (utf8mb3, three bytes to a character) can hold the text, and can be compared with it: MySQL fails
 * on a comparison with what they cannot. No control characters, no half of a surrogate pair, nothing outside the basic plane.
 */
export function fitsTroveColumn(text: string): boolean {
  return !/[\p{Cc}\p{Cs}\u{10000}-\u{10FFFF}]/u.test(text);
}
