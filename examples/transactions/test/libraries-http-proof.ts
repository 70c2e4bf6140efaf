/** The proof for each ORM over HTTP: write, answer and key commit together, and a retry is answered from the record. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createIdempotency, type IdempotencyStore } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import express from 'express'
import { expect } from 'vitest'

/** A library that is open, its store, and a payment written in its transaction. */
export interface Orm<Tx> {
  readonly store: IdempotencyStore<Tx>
  pay(tx: Tx, key: string): Promise<unknown>
  /** The number of payments that were committed under a key. */
  rows(key: string): Promise<number>
  close(): Promise<unknown>
}

/** Declined: no row, and the key is free. Paid, and sent twice more, once by eight at the same moment: one row. */
export async function proveOverHttp<Tx>({ store, pay, rows, close }: Orm<Tx>): Promise<void> {
  const idempotency = createIdempotency({ store, namespace: `n_${randomUUID()}` })
  const key = randomUUID()
  let isDeclining = true
  const app = express().use(express.json())
  app.post(
    '/payments',
    idempotent(
      idempotency,
      { scope: () => 'ann', transaction: true, onInProgress: { wait: '20s' } },
      async (req, res, { tx }) => {
        await pay(tx, req.body.key)
        res.status(isDeclining ? 500 : 201).json({ paid: req.body.key })
      },
    ),
  )
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const send = () =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/payments`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
      body: JSON.stringify({ key }),
    })
  try {
    expect((await send()).status).toBe(500)
    expect(await rows(key)).toBe(0)
    isDeclining = false
    const answers = await Promise.all(Array.from({ length: 8 }, send))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201))
    expect((await send()).headers.get('Idempotency-Replayed')).toBe('true')
    expect(await rows(key)).toBe(1)
  } finally {
    server.closeAllConnections()
    server.close()
    await close()
  }
}
