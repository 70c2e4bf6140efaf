/** Values that may be there already: a synchronous database cannot wait for a promise inside of a transaction. */
export type MaybePromise<T> = T | Promise<T>

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof Object(value).then === 'function'
}

/** `next` of the value: at once where it is there, else once it is. */
export function chain<A, B>(value: MaybePromise<A>, next: (value: A) => MaybePromise<B>): MaybePromise<B> {
  return isPromise(value) ? value.then(next) : next(value)
}
