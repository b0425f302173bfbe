/** How hard a text is to read, in numbers. Used by the tests only. */

export type Level = {
  /** Words in one sentence. */
  longestSentence: number;
  /** Letters in one word, or between two hyphens of it. */
  longestWord: number;
  /** LIX of the running text: words per sentence, plus the share of words of more than six letters in per cent. */
  lix: number;
  /** Beginnings of words that nobody outside the trade uses. */
  banned: string[];
};

const words = (text: string): string[] => text.match(/[\p{L}\p{N}]+(?:[-’'][\p{L}\p{N}]+)*/gu) ?? [];

/** A full stop, question mark, colon or quotation mark ends a sentence; a heading or label without any is one by itself. */
export function sentences(text: string): string[] {
  return text
    .split(/(?<=[.!?:…])["“”]?\s+(?=[\p{Lu}\p{N}„“"])/u)
    .map((part) => part.trim())
    .filter((part) => words(part).length > 0);
}

/** Everything a text does that its level does not allow. */
export function complaints(text: string, level: Level): string[] {
  const found: string[] = [];
  for (const sentence of sentences(text)) {
    const count = words(sentence).length;
    if (count > level.longestSentence) found.push(`${count} words in a sentence: ${sentence}`);
  }
  for (const word of words(text)) {
    const longest = Math.max(...word.split('-').map((part) => part.length));
    if (longest > level.longestWord) found.push(`${longest} letters: ${word}`);
    const banned = level.banned.find((begin) => word.toLowerCase().split('-').some((part) => part.startsWith(begin)));
    if (banned !== undefined) found.push(`a word of the trade: ${word}`);
  }
  return found;
}

/** LIX (Björnsson 1968) of texts read one after the other. 30 and below: books for children; 40: easy; 50: newspapers; 60: laws. */
export function lix(texts: string[]): number {
  const all = texts.flatMap(words);
  const long = all.filter((word) => word.replace(/[-’']/g, '').length > 6).length;
  return all.length / texts.flatMap(sentences).length + (100 * long) / all.length;
}

const SYLLABLES = /ei|ai|au|äu|eu|ie|oo|ee|aa|[aeiouyäöü]/g;

/**
 * The first Vienna formula (Bamberger and Vanecek 1984): the school year that reads German of this kind. Syllables are counted by their vowels,
 * which is right for about all German words.
 */
export function schoolYear(texts: string[]): number {
  const all = texts.flatMap(words);
  const syllables = all.map((word) => word.toLowerCase().match(SYLLABLES)?.length ?? 1);
  const share = (holds: (syllables: number, word: string) => boolean) =>
    (100 * all.filter((word, at) => holds(syllables[at] ?? 1, word)).length) / all.length;
  const three = share((count) => count >= 3);
  const one = share((count) => count === 1);
  const long = share((_, word) => word.replace(/[-’']/g, '').length > 6);
  return 0.1935 * three + (0.1672 * all.length) / texts.flatMap(sentences).length + 0.1297 * long - 0.0327 * one - 0.875;
}
