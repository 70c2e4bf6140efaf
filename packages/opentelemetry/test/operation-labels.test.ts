import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OTHER, operationLabels } from '../src/operation-labels.ts'

describe('operations as values of an attribute', () => {
  test.each([
    'charge',
    'POST /charges',
    'POST /orders/:id/refunds',
    'PATCH /v2/users/{userId}',
    'orders.created v1',
    'GET /api/2fa/setup',
  ])('%s is a pattern', (operation) => {
    expect(operationLabels(10)(operation)).toBe(operation)
  })

  test.each([
    'POST /orders/8123/refunds',
    'PATCH /users/6f9619ff-8b86-d011-b42d-00cf4fc964ff',
    'DELETE /sessions/507f1f77bcf86cd799439011',
    'POST /users/ann@example.com/invite',
    'PUT /files/01ARZ3NDEKTSV4RRFFQ69G5FAV',
    'POST /search?q=4711',
  ])('%s names one thing', (operation) => {
    expect(operationLabels(10)(operation)).toBe(OTHER)
  })

  test('never more than the limit and one, and each keeps its label', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 20 })), fc.integer({ min: 0, max: 5 }), (operations, limit) => {
        const label = operationLabels(limit)
        const first = new Map<string, string>()
        for (const operation of operations) {
          const given = label(operation)
          expect([operation, OTHER]).toContain(given)
          expect(first.get(operation) ?? given).toBe(given)
          first.set(operation, given)
        }
        expect(new Set([...first.values()].filter((given) => given !== OTHER)).size).toBeLessThanOrEqual(limit)
      }),
    )
  })
})
