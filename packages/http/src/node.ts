export { headerFields, type SentHeaders } from './protocol/exchange.ts'
export { answerEarly } from './server/node/answer-early.ts'
export { captureResponse } from './server/node/capture/capture-response.ts'
export type { CapturedResponse, CaptureLimits } from './server/node/capture/captured-response.ts'
export {
  idempotent,
  type NodeHandler,
  type NodeOptions,
  type NodeRequest,
  type NodeResponse,
  type NodeTransactionHandler,
} from './server/node/handler.ts'
export { closeSignal, groupFields, sendResponse } from './server/node/headers.ts'
export { iterable } from './server/node/iterable.ts'
export type { ErrorListeners, NodeBinding, Working } from './server/node/node-binding.ts'
export { givenBody, type LeftBody } from './server/node/request/given-body.ts'
export { isBodyLost, lostBody, requestBody } from './server/node/request/request-body.ts'
export { passOnNode, serveNode } from './server/node/serve.ts'
