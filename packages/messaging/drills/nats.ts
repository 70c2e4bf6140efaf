/** `npm run drills -- nats` */
import { fullDrill } from '../test/drill/full-drill.ts'

await fullDrill('nats')
