export { type Check, type Clause, type Need, ruledOut } from './check.ts'
export { checks } from './checks.ts'
export type { Address, OpenOptions, StoreHarness, StoreServer } from './harness.ts'
