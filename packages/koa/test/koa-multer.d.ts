/** Without types of its own for this version of Koa; it wraps multer. */
declare module '@koa/multer' {
  import type { Middleware } from 'koa'

  const wrap: () => { single(field: string): Middleware; any(): Middleware }
  export = wrap
}
