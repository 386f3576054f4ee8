/** Whether a topic binding takes a routing key: `*` is one word, `#` any number of them, words are parted by dots. */
export function topicMatches(pattern: string, routingKey: string): boolean {
  return wordsMatch(pattern.split('.'), routingKey.split('.'));
}

function wordsMatch(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return words.length === 0;
  if (first === '#') return wordsMatch(rest, words) || (words.length > 0 && wordsMatch(pattern, words.slice(1)));
  return words.length > 0 && (first === '*' || first === words[0]) && wordsMatch(rest, words.slice(1));
}
