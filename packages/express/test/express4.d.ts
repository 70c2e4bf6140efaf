/** Express 4 under a name of its own; its types are those of Express 5 as far as the tests go. */
declare module 'express4' {
  import express = require('express')
  export = express
}
