/** Guards of one handler: of those of one operation the nearest answers, and the others step aside. */
import { type ExecutionContext, type NestInterceptor, RequestMethod, type Type } from '@nestjs/common'
import { INTERCEPTORS_METADATA, METHOD_METADATA } from '@nestjs/common/constants.js'
import { Reflector } from '@nestjs/core'
import type { Guard } from '@retryproof/http'

const reflector = new Reflector()

export interface Place {
  readonly idempotency: object
  readonly operation: unknown
  readonly guard: Pick<Guard<never>, 'covers'>
}

const places = new WeakMap<object, Place>()

export function setPlace(interceptor: Type<NestInterceptor>, place: Place): void {
  places.set(interceptor, place)
}

/** Tells whether a guard covers a request, and no nearer one does. Nest runs those of a class before those of a handler. */
export function isNearest(context: ExecutionContext, method: string, self: Type<NestInterceptor>): boolean {
  const ofHandler = interceptorsOf(context.getHandler())
  const ownMethod = () => (isForAll(context) ? undefined : method)
  const covers = (interceptor: object) =>
    places.get(interceptor)?.guard.covers(method, ofHandler.includes(interceptor) ? ownMethod : undefined) ?? false
  if (!covers(self)) return false
  const all = [...interceptorsOf(context.getClass()), ...ofHandler]
  const nearer = all.slice(all.lastIndexOf(self) + 1)
  return !nearer.some((each) => isOfOneOperation(each, self) && covers(each))
}

/** Tells whether an interceptor stands on this very handler or its class, rather than before all of an application. */
export function standsOn(context: ExecutionContext, self: Type<NestInterceptor>): boolean {
  return [...interceptorsOf(context.getClass()), ...interceptorsOf(context.getHandler())].includes(self)
}

function interceptorsOf(target: object): readonly object[] {
  return reflector.get<object[] | undefined>(INTERCEPTORS_METADATA, target as Type) ?? []
}

function isForAll(context: ExecutionContext): boolean {
  return reflector.get<RequestMethod>(METHOD_METADATA, context.getHandler()) === RequestMethod.ALL
}

function isOfOneOperation(one: object, other: object): boolean {
  const [first, second] = [places.get(one), places.get(other)]
  return first?.idempotency === second?.idempotency && first?.operation === second?.operation
}
