export { attemptOf, idempotent } from './idempotent.ts'
export { type IdempotencyPluginOptions, idempotencyPlugin, type RouteIdempotency } from './plugin.ts'
export type { IdempotentHandler, IdempotentRoute, IdempotentRouteWithHandler, TransactionHandler } from './route.ts'
export { serveStatus } from './serve-status.ts'
