export { answerEarly } from './node-early.ts'
export { headerFields, sendResponse } from './node-headers.ts'
export { isBodyLost, lostBody, requestBody } from './node-request.ts'
export { type CapturedResponse, type CaptureLimits, captureResponse } from './node-response.ts'
