import { randomBytes } from 'node:crypto'

/** A namespace that nobody has used, so that no run has to clean up after another. */
export function freshNamespace(): string {
  return `suite-${randomBytes(8).toString('hex')}`
}

/** A storage key that nobody has used, of the form that the core makes. */
export function freshKey(operation = 'check', namespace = 'conformance'): string {
  return `${namespace}.${operation}.${randomBytes(32).toString('hex')}`
}
