/** The order that is to be paid: tabs that are opened get the same one, and so does a page after a reload, as with a cart. */

const ORDER = 'duplicate-slayer.order'
const PAYING = 'duplicate-slayer.paying'

export interface Order {
  readonly id: string
  /** In cents. */
  readonly amount: number
}

export function newOrder(): Order {
  return { id: crypto.randomUUID().slice(0, 6).toUpperCase(), amount: 4200 }
}

/** The order of this tab stays until it is paid here, even where another tab was faster: it is this that gets paid. */
let shown = orderInCart()

function orderInCart(): Order {
  const order = newOrder()
  const id = localStorage.getItem(ORDER) ?? order.id
  localStorage.setItem(ORDER, id)
  return { ...order, id }
}

export function shownOrder(): Order {
  return shown
}

/** Remembers that the order is being paid, so that a page that is loaded in the middle goes on with it. */
export function rememberPaying({ id }: Order): void {
  localStorage.setItem(PAYING, id)
}

/** The order is paid: the cart gets another, unless it has one already. */
export function finishOrder({ id }: Order): void {
  if (localStorage.getItem(PAYING) === id) localStorage.removeItem(PAYING)
  if (localStorage.getItem(ORDER) === id) localStorage.setItem(ORDER, newOrder().id)
  if (shown.id === id) shown = orderInCart()
}

/** Tells whether a reload interrupted the payment of the order that is shown. */
export function isInterrupted(): boolean {
  return localStorage.getItem(PAYING) === shown.id
}
