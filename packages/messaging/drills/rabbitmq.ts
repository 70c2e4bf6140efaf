/** `npm run drills -- rabbitmq` */
import { fullDrill } from '../test/drill/full-drill.ts'

await fullDrill('rabbitmq')
