import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nearestName } from '../src/base/options/nearest-name.ts'

const known = ['lease', 'retention', 'maxRun', 'onFailure', 'onTakeover', 'storeRequest']

describe('the nearest name', () => {
  it.each([
    ['leese', 'lease'],
    ['laese', 'lease'],
    ['max_run', 'maxRun'],
    ['retentionMs', 'retention'],
    ['OnFailiure', 'onFailure'],
    ['store-requests', 'storeRequest'],
    ['colour', undefined],
    ['', undefined],
  ])('of %s is %s', (name, meant) => {
    expect(nearestName(name, known)).toBe(meant)
  })

  it('of a known name is that name, and of one with an edit too', () => {
    fc.assert(
      fc.property(fc.constantFrom(...known), fc.nat(), fc.constantFrom('', 'x'), (name, at, put) => {
        const where = at % name.length
        expect(nearestName(name, known)).toBe(name)
        expect(nearestName(name.slice(0, where) + put + name.slice(where + 1), known)).toBe(name)
        const swapped = `${name.slice(0, where)}${name.charAt(where + 1)}${name.charAt(where)}${name.slice(where + 2)}`
        expect(nearestName(swapped, known)).toBe(name)
      }),
    )
  })
})
