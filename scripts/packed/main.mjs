// For Node, Bun and Deno.
import { smoke } from './smoke.mjs'

console.log(await smoke())
