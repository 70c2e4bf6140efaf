/** Names on which the processes and the page agree. */
export const NAMESPACE = 'duplicate-slayer'
/** Short, so that nobody has to wait for the recovery of a killed worker. */
export const LEASE = '1500ms'
export const chargeOperation = 'POST /charges'
/** Everybody who clicks is one customer; a real application takes this from its authentication. */
export const customer = 'customer_1'

export type StoreName = 'sqlite' | 'redis' | 'postgres' | 'mysql' | 'mongodb'

/** The fate of a request. */
export type Fate = 'on its way' | 'answered' | 'request lost' | 'response lost' | 'server died'
