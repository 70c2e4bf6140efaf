/** Interceptors that are made once Nest knows what they depend on. */
import { Inject, type InjectionToken, mixin, type NestInterceptor, type Type } from '@nestjs/common'

/** A class, since Nest injects into nothing else; what it constructs is what `create` gives, which is told the class. */
export function injected<Dependencies extends unknown[]>(
  tokens: { readonly [Index in keyof Dependencies]: InjectionToken },
  create: (self: Type<NestInterceptor>, ...dependencies: Dependencies) => NestInterceptor,
): Type<NestInterceptor> {
  const Interceptor = class {
    constructor(...dependencies: Dependencies) {
      // biome-ignore lint/correctness/noConstructorReturn: what Nest is given has no other state
      return create(made, ...dependencies)
    }
  } as Type<NestInterceptor>
  for (const [index, token] of tokens.entries()) Inject(token)(Interceptor, undefined, index)
  const made = mixin(Interceptor)
  return made
}
