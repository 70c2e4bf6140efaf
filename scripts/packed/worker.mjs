// For workerd.
import { smoke } from './smoke.mjs'

export default {
  async test() {
    console.log(await smoke())
  },
}
