/** Names on which the processes and the page agree. */
export const NAMESPACE = 'duplicate-slayer'
/** Short, so that nobody has to wait for the recovery of a killed worker. */
export const LEASE = '1500ms'
export const chargeOperation = 'POST /charges'

export type StoreName = 'sqlite' | 'redis' | 'postgres' | 'mysql' | 'mongodb'

/** The stage at which the worker stops and waits to be killed. */
export type DeathPoint = 'before-provider' | 'after-provider'

/** The header by which the network tells a worker where to die. */
export const DIE_AT = 'Demo-Die-At'
