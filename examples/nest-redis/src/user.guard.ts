import { type CanActivate, type ExecutionContext, UnauthorizedException } from '@nestjs/common'

export interface Authenticated {
  readonly headers: Record<string, string | undefined>
  user?: { readonly id: string }
}

/** Stands for your authentication. It comes before the idempotency key is looked at. */
export class UserGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Authenticated>()
    const [, id] = /^Bearer (\w+)$/.exec(request.headers.authorization ?? '') ?? []
    if (!id) throw new UnauthorizedException()
    request.user = { id }
    return true
  }
}
