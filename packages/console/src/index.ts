/** A page for operators, as a Fetch handler. */
export { type ConsoleHandler, consoleHandler } from './console-handler.ts'
export type {
  Authorized,
  ConsoleAction,
  ConsoleActionName,
  ConsoleInstance,
  ConsoleOptions,
  ConsoleUser,
} from './options.ts'
