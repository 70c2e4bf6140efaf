export type { Notice, Notifier } from './guard/ports.ts'
export { type WebhookOptions, webhook } from './resources/webhook.ts'
