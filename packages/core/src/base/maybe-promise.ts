/** Values that may be there already: a synchronous database cannot wait for a promise inside of a transaction. */
export type MaybePromise<T> = T | Promise<T>

/** A computation that yields what it has to wait for. `runFlow` runs it. */
export type Flow<T> = Generator<unknown, T, unknown>

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof Object(value).then === 'function'
}

/** Applies `next` to a value: at once where the value is there, else when it comes. */
export function after<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return isPromise(value) ? value.then(next) : next(value)
}

/** Answers a rejection by what `otherwise` gives. */
export function orElse<T, U>(
  value: MaybePromise<T>,
  otherwise: (error: unknown) => MaybePromise<U>,
): MaybePromise<T | U> {
  return isPromise(value) ? value.catch(otherwise) : value
}

/** Waits inside of a flow: `const bytes = yield* settled(encode(value))`. */
export function* settled<T>(value: MaybePromise<T>): Flow<T> {
  return (yield value) as T
}

/** Runs a flow: at once where nothing has to be waited for, else as a promise. Throws rejections into the flow. */
export function runFlow<T>(flow: Flow<T>): MaybePromise<T> {
  return proceed(flow, () => flow.next())
}

function proceed<T>(flow: Flow<T>, resume: () => IteratorResult<unknown, T>): MaybePromise<T> {
  let step = resume()
  while (!step.done) {
    const { value } = step
    if (isPromise(value)) {
      return value.then(
        (result) => proceed(flow, () => flow.next(result)),
        (error) => proceed(flow, () => flow.throw(error)),
      )
    }
    step = flow.next(value)
  }
  return step.value
}
