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
    'orders-eu-west-1-v2-3',
    'payments.v2.2025-01',
    'invoice-2024-events',
    'prod_billing_eu_central_1_invoices_v12',
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
    'orders-81234567',
    'consumer-01ARZ3NDEKTSV4RRFFQ69G5FAV',
    'invoice.507f1f77bcf86cd799439011',
    'POST /orders/8123-refund-4711000',
  ])('%s names one thing', (operation) => {
    expect(operationLabels(10)(operation)).toBe(OTHER)
  })

  test('listed operations keep their names, and every other one is `_other`', () => {
    const label = operationLabels(1, ['wSjG65Xm', 'POST /orders/8123', 'b'])
    expect(['wSjG65Xm', 'POST /orders/8123', 'b', 'charge'].map(label)).toEqual([
      'wSjG65Xm',
      'POST /orders/8123',
      'b',
      OTHER,
    ])
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
