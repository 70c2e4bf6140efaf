/** What the worker and the demo must agree on to see the same records. */
export const NAMESPACE = 'duplicate-slayer'
/** Short, so that nobody has to wait for the recovery of a killed worker. */
export const LEASE = '1500ms'
export const chargeOperation = 'POST /charges'
/** Everybody who clicks is one customer; a real application takes this from its authentication. */
export const customer = 'customer_1'
