/** What a caller of `fetch` has to tell apart. Each has a `code` that survives bundling. */
export class ClientError extends Error {
  override readonly name: string = 'ClientError'
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The intent was sent before with another method, address or body. Nothing was sent: a new request is a new intent. */
export class IntentChangedError extends ClientError {
  override readonly name = 'IntentChangedError'

  constructor(intent: string) {
    super('INTENT_CHANGED', `'${intent}' was sent with something else before. Take another intent, or cancel this one.`)
  }
}

/** The intent is too old for the server to know it, and what became of it is unknown. Nothing was sent. */
export class IntentExpiredError extends ClientError {
  override readonly name = 'IntentExpiredError'

  constructor(intent: string) {
    super('INTENT_EXPIRED', `Nobody knows any more what became of '${intent}'. Look it up, then call done or cancel.`)
  }
}

/** The key cannot be kept: the storage is full, blocked, or holds what is not ours. Nothing was sent. */
export class StorageError extends ClientError {
  override readonly name = 'StorageError'

  constructor(message: string, options?: ErrorOptions) {
    super('STORAGE_UNAVAILABLE', message, options)
  }
}

/** The request cannot be sent twice as it is (a stream), or not at all. Nothing was sent. */
export class UnsendableError extends ClientError {
  override readonly name = 'UnsendableError'

  constructor(message: string, options?: ErrorOptions) {
    super('UNSENDABLE', message, options)
  }
}

/** No answer came in all tries. Whether the request took effect is unknown; the key is kept: call `fetch` again. */
export class UnreachableError extends ClientError {
  override readonly name = 'UnreachableError'
  readonly tries: number

  constructor(tries: number, cause: unknown) {
    super('UNREACHABLE', `No answer in ${tries} tries. The same intent may be sent again.`, { cause })
    this.tries = tries
  }
}
