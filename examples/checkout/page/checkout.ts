/** One order, and a button that may be pressed as often as one likes, in as many tabs as one likes. */
import { createIdempotentFetch, webStorage } from '@retryproof/client'

// this network is worse than one that users have, and its tests have no time to lose
const client = createIdempotentFetch({ storage: webStorage(), retry: { backoff: { first: 40, max: 400 }, tries: 60 } })

const parameters = new URLSearchParams(location.search)
const order = parameters.get('order') ?? '1'
/** The address of the shop: another origin than this page's, where the address says so. */
const shop = parameters.get('shop') ?? location.origin
/** Every third order is answered before it is done. */
const path = Number(order) % 3 === 0 ? '/orders' : '/payments'
const amount = 100 + (Number(order) % 50)
/** The intent of the user, the same for each click, reload and tab. Nobody pays an order twice, so that it is never `done`. */
const intent = `pay order ${order}`
const begun = `begun:${intent}`

element('order').textContent = `Order ${order}`
element('amount').textContent = `${amount}.00 €`
element('pay').addEventListener('click', () => void pay())
// the page was left while it paid: it goes on, with the same key
if (sessionStorage.getItem(begun)) void pay()

async function pay(): Promise<void> {
  sessionStorage.setItem(begun, 'yes')
  show('paying', 'Paying …')
  try {
    const response = await client.fetch(new URL(path, shop), {
      intent,
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ order, amount }),
    })
    const answer = await response.json()
    if (response.ok) show('paid', `Paid. Charge ${answer.charge}`)
    else if (response.status === 402) show('declined', 'Not paid: the card was declined.')
    else show('failed', `Not paid: ${answer.title ?? response.status}`)
  } catch (error) {
    show('failed', `We do not know yet. Press again. (${String(error)})`)
  }
}

/** A paid order stays paid, whatever becomes of a second click. */
function show(state: 'paying' | 'paid' | 'declined' | 'failed', text: string): void {
  const output = element('state')
  if (output.dataset.state === 'paid') return
  output.dataset.state = state
  output.textContent = text
}

function element(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (!found) throw new Error(`The page has no #${id}.`)
  return found
}
