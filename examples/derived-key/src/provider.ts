/** A payment provider, as far as it matters here: one charge for each key that it is given. */
import express, { type Express } from 'express'

export interface Provider {
  readonly app: Express
  readonly charges: ReadonlyMap<string, { readonly id: string; readonly amount: number }>
  /** The number of calls. */
  readonly asked: () => number
}

/** `afterCharge` is called with a charge that is made, before anybody is told of it. */
export function createProvider(afterCharge: (asked: number) => void = () => {}): Provider {
  const charges = new Map<string, { id: string; amount: number }>()
  let asked = 0
  const app = express()
  app.use(express.json())
  app.post('/charges', (req, res) => {
    const key = req.get('idempotency-key') ?? ''
    const charge = charges.get(key) ?? { id: `ch_${charges.size + 1}`, amount: Number(req.body.amount) }
    charges.set(key, charge)
    afterCharge(++asked)
    res.json(charge)
  })
  return { app, charges, asked: () => asked }
}
