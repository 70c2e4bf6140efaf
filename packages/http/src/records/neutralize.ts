/** Makes text from a store harmless: no escape sequence reaches the terminal, no mark turns a line around. */

/** Control characters, marks of direction, joiners without width, and separators of lines; not the plain line feed and tab. */
const HOSTILE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu

const visible = (character: string) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`

/** Shows each dangerous character by its number, on one line. */
export function neutralize(text: string): string {
  return text.replace(HOSTILE, visible)
}

/** The same for a text of several lines. */
export function neutralizeLines(text: string): string {
  return text.replace(HOSTILE, (character) =>
    character === '\n' || character === '\t' ? character : visible(character),
  )
}

/** Escapes what JSON.stringify leaves as it is. The text remains the same JSON value. */
export function neutralizeJson(json: string): string {
  return json.replace(HOSTILE, (character) => {
    if (character === '\n') return character
    return Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join('')
  })
}
