import assert from 'node:assert/strict'
import type { Check } from '../../check.ts'
import { freshKey } from '../../tools/keys.ts'
import { RETENTION_MS, twinCheck } from '../scenarios.ts'

/** The longest key that the core makes. */
const LONGEST = 131

const endings = [
  ['a', 'A', 'ä', 'á', 'a\u0301', 'a ', 'a  ', ' a', 'a\t', 'a\u00a0', 'a\u200b', 'a\ufeff', 'a\u00ad', 'а', 'ａ', 'ª'],
  ['ss', 'ß', 'SS', 'ſs', 'i', 'I', 'ı', 'İ', 'k', '\u212a', 'ﬁ', 'fi', 'Ω', '\u2126'],
  ['💳', '💰', '\u{1f44d}', '\u{1f44d}\u{1f3fd}', '日本', '日本語'],
  [
    'a:b|c',
    'a|b:c',
    'a.b',
    'a..b',
    'a/b',
    'a//b',
    'a/./b',
    'a\\b',
    '{a}',
    '{a}b',
    '$a',
    '$',
    '%',
    '_',
    '*',
    '?',
    '[a]',
    '#',
  ],
  [
    '0',
    '00',
    '1e1',
    '10',
    '10.0',
    '0x0a',
    '-0',
    'null',
    'true',
    "'",
    "''",
    '"',
    '`',
    ';',
    '--',
    '\n',
    '\r\n',
    '&amp;',
    '&',
  ],
].flat()

export const keyChecks: readonly Check[] = [
  twinCheck('C19', 'keys compare as bytes: none shares its record with a similar one', ['C19'], async (twin) => {
    const stem = freshKey('keys').slice(0, 60)
    const keys = [...endings.map((ending) => `${stem}.${ending}`), ...longKeys(stem)]
    for (const [index, key] of keys.entries()) {
      const claim = { owner: `owner ${index}`, fingerprint: `fingerprint ${index}`, request: new Uint8Array([index]) }
      const { outcome, token } = await twin.begin({ ...claim, leaseMs: RETENTION_MS }, key)
      assert.equal(outcome, 'acquired', `the key ${JSON.stringify(key)} is taken by another one`)
      if (index % 2 === 0) {
        await twin.transition(
          token,
          { to: 'completed', result: new Uint8Array([index]), retentionMs: RETENTION_MS },
          key,
        )
      }
    }
    for (const key of keys) await twin.get(key)
  }),
  twinCheck('C19-names', 'a name that means something to JavaScript is a key like any other', ['C19'], async (twin) => {
    for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length']) {
      assert.equal(await twin.get(name), null, `nobody has used the key ${name}`)
      const key = `${name}.${freshKey()}`.slice(0, LONGEST)
      await twin.begin({ fingerprint: name, owner: name }, key)
      await twin.get(key)
    }
  }),
  twinCheck('C19-isolation', 'a token is worth nothing on another key', ['C19', 'C3'], async (twin) => {
    const [one, other] = [freshKey('isolation'), freshKey('isolation')]
    const first = await twin.begin({ owner: 'owner' }, one)
    twin.advance(1)
    await twin.begin({ owner: 'owner' }, other)
    for (const to of ['completed', 'failed'] as const) {
      const change = { to, result: new Uint8Array([1]), retentionMs: RETENTION_MS }
      assert.equal((await twin.transition(first.token, change, other)).outcome, 'lost')
    }
    await twin.transition(first.token, { to: 'forgotten', tombstoneMs: 0 }, one)
    await twin.get(other)
    await twin.get(one)
  }),
]

/** Keys of full length that differ in one place only. */
function longKeys(stem: string): string[] {
  const full = `${stem}.`.padEnd(LONGEST, 'x')
  const changed = [64, 65, 100, 127, 128, LONGEST - 1].map((at) => `${full.slice(0, at)}y${full.slice(at + 1)}`)
  return [full, full.slice(0, -1), ...changed]
}
