/**
 * Quotes words for a POSIX shell, so that each reaches the program as it is.
 *
 * @param words the words of a command; words of harmless characters only stay bare.
 * @returns the words, quoted and joined with spaces.
 * @throws if a word holds a NUL byte, which no argument can.
 */
export function quote(...words: string[]): string {
  return words.map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  if (word.includes("\0")) {
    throw new Error("a shell argument cannot hold a NUL byte");
  }
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
