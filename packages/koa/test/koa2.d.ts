/** Koa 2 under a name of its own; its types are those of Koa 3 as far as the tests go. */
declare module 'koa2' {
  import Koa = require('koa')
  export = Koa
}
