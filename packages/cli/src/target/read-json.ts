/** Reads JSON that a person has written. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CliError } from '../exit-codes.ts'

/** @throws {@link CliError} when the file cannot be read or holds no JSON. It quotes nothing, since the file may hold a password */
export async function readJson(cwd: string, file: string): Promise<unknown> {
  const bytes = await readFile(resolve(cwd, file)).catch((error: Error) => {
    throw new CliError(`The file ${file} cannot be read: ${error.message}`)
  })
  try {
    return JSON.parse(decode(bytes))
  } catch (error) {
    const [place = ''] = / at position \d+| at line \d+ column \d+/.exec((error as Error).message) ?? []
    throw new CliError(`The file ${file} holds no JSON${bytes.length === 0 ? ': it is empty' : place}.`)
  }
}

/** Decodes the text of editors and shells on Windows too, which mark it as UTF-8 or UTF-16. */
function decode(bytes: Uint8Array): string {
  const [first, second] = bytes
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(bytes)
  if (first === 0xfe && second === 0xff) return new TextDecoder('utf-16be').decode(bytes)
  return new TextDecoder().decode(bytes)
}
