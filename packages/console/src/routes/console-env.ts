/** The bindings that the routes get with each request. */
import type { Context } from 'hono'
import type { ConsoleUser } from '../options.ts'
import type { PageContext } from '../pages/page-context.ts'

export interface ConsoleEnv<User extends ConsoleUser = ConsoleUser> {
  readonly Bindings: { readonly page: PageContext; readonly user: User }
}

/** Answers with a page. */
export function html(
  c: Context,
  element: { toString(): string | Promise<string> },
  status: 200 | 400 | 403 | 404 | 409 | 413 | 415 | 422 | 500 | 503 = 200,
): Response | Promise<Response> {
  return c.html(`<!doctype html>${element.toString()}`, status)
}
