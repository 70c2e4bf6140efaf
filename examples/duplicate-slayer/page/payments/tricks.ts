/** Lists failures of a payment, each on a button. */

import type { Backend } from '../backends/backend.ts'
import { announce, element, say, show } from '../dom.ts'
import { sendByHand } from './by-hand.ts'
import { finishOrder, isInterrupted, newOrder, rememberPaying, shownOrder } from './orders.ts'
import { payerAt, type Receipt } from './pay.ts'

const HUNDRED = 100
const AT_ONCE = 12

export function listenToTricks(backend: Backend, showOrder: () => void): void {
  const { pay, forget } = payerAt(backend)

  /** Pays the order in the cart, in as many ways at once as are asked for. */
  async function payCart(copies = 1): Promise<void> {
    const order = shownOrder()
    rememberPaying(order)
    say(`Paying order ${order.id}…`)
    const receipts = await Promise.all(Array.from({ length: copies }, () => pay(order)))
    finishOrder(order)
    showOrder()
    say(`Order ${order.id}: ${describe(receipts)}`)
  }

  async function payHundred(): Promise<void> {
    const orders = Array.from({ length: HUNDRED }, newOrder)
    let paid = 0
    const tellProgress = () => {
      const text = `${paid} of ${HUNDRED} payments answered…`
      show(text)
      // now and then, so that a voice keeps up
      if (paid % 25 === 0) announce(text)
    }
    tellProgress()
    const payNext = async (): Promise<void> => {
      for (let order = orders.pop(); order; order = orders.pop()) {
        await pay(order)
        await forget(order)
        paid++
        tellProgress()
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, payNext))
    say(`All ${HUNDRED} payments were answered. Compare the charges.`)
  }

  async function killServer(): Promise<void> {
    say('The server will die in the middle of this payment…')
    await backend.kill()
    await payCart()
  }

  async function tamper(): Promise<void> {
    const order = newOrder()
    const key = crypto.randomUUID()
    say(`Paying order ${order.id}, then sending its key again for €0.01…`)
    await sendByHand(backend, key, order)
    const response = await sendByHand(backend, key, { ...order, amount: 1 })
    say(
      response.status === 422
        ? `Order ${order.id}: 422, this key was used with another payload. Nothing was charged.`
        : `Order ${order.id}: ${response.status}, charged again for €0.01.`,
    )
  }

  async function reloadInTheMiddle(): Promise<void> {
    const order = shownOrder()
    rememberPaying(order)
    void pay(order)
    await new Promise((resolve) => setTimeout(resolve, RELOAD_AFTER_MS))
    location.reload()
  }

  onPress('pay', () => payCart(), { again: true })
  onPress('double-click', () => payCart(2))
  onPress('hundred', payHundred)
  onPress('kill', killServer)
  onPress('tamper', tamper)
  onPress('reload', reloadInTheMiddle)
  onPress('clear', () => backend.clear())
  if (isInterrupted()) void payCart()
}

/** The request has arrived, and its answer has not. */
const RELOAD_AFTER_MS = 30

/** While it runs, the button waits; not where pressing it `again` is the point. */
function onPress(id: string, action: () => Promise<void>, { again = false } = {}): void {
  const button = element<HTMLButtonElement>(id)
  button.addEventListener('click', async () => {
    if (button.ariaDisabled === 'true') return
    if (!again) button.ariaDisabled = 'true'
    await action().catch((error: unknown) => say(String(error)))
    button.ariaDisabled = null
  })
}

function describe(receipts: readonly Receipt[]): string {
  const charges = [...new Set(receipts.map(({ charge }) => charge))]
  const replayed = receipts.some((receipt) => receipt.replayed) ? ', replayed' : ''
  return charges.length === 1 ? `charge ${charges[0]}${replayed}.` : `charges ${charges.join(' and ')}: paid twice.`
}
