import type { BrokenStore } from './broken.ts'
import { contents } from './contents.ts'
import { expiry } from './expiry.ts'
import { holding } from './holding.ts'
import { keys } from './keys.ts'
import { others } from './others.ts'
import { races } from './races.ts'
import { settled } from './settled.ts'
import { tokens } from './tokens.ts'
import { transactions } from './transactions.ts'
import { unknownCommits } from './unknown-commits.ts'

/** Stores that are almost right. */
export const gallery: readonly BrokenStore[] = [
  tokens,
  holding,
  settled,
  expiry,
  contents,
  keys,
  races,
  others,
  transactions,
  unknownCommits,
].flat()
