import { createHash } from 'node:crypto'
import { type BrokenStore, wraps } from './broken.ts'

const renaming = (name: string, rejectedBy: string, rename: (key: string) => string): BrokenStore =>
  wraps(name, rejectedBy, (store) => ({
    begin: (key, claim) => store.begin(rename(key), claim),
    transition: (key, token, change) => store.transition(rename(key), token, change),
    get: (key) => store.get(rename(key)),
  }))

/** Keys that run into each other. */
export const keys = [
  renaming('keys compare without case', 'C19', (key) => key.toLowerCase()),
  renaming('keys compare without accents', 'C19', (key) => key.normalize('NFD').replace(/[\u0300-\u036f]/g, '')),
  renaming('keys are normalised', 'C19', (key) => key.normalize('NFC')),
  renaming('keys lose the space at their end', 'C19', (key) => key.replace(/ +$/, '')),
  renaming('keys lose what has no width', 'C19', (key) => key.replace(/[\u200b\ufeff\u00ad]/g, '')),
  renaming('keys are cut at 64 characters', 'C19', (key) => key.slice(0, 64)),
  renaming('keys are cut at 128 characters', 'C19', (key) => key.slice(0, 128)),
  renaming('keys are kept as Latin-1', 'C19', (key) => Buffer.from(key, 'latin1').toString('latin1')),
  renaming('keys are paths', 'C19', (key) => key.replaceAll('/./', '/').replaceAll('//', '/')),
  renaming('keys are digested to 16 bits', 'C19', (key) => {
    const known = /^[\x20-\x7e]+$/.test(key)
    return known ? key : createHash('sha256').update(key).digest('hex').slice(0, 1)
  }),
  wraps('names of Object.prototype are records', 'C19-names', (store) => ({
    get: async (key) => (key in {} ? (({} as Record<string, unknown>)[key] as never) : store.get(key)),
  })),
]
