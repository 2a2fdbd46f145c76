/** Text that others wrote: what a browser would obey or hide is shown instead. */

// Control and format characters (such as U+202E, which reverses the text after it), halves of
// characters, and all else that has no width; but no line breaks, tabs and variants of emoji.
const HIDDEN = /(?!\r\n|[\n\t]|\p{VS})[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/gu;

/** Return *text* with each hidden character written as "[U+202E]". */
export const visible = (text) => text.replace(HIDDEN, (character) => `[${codePoint(character)}]`);

const codePoint = (character) =>
  `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
