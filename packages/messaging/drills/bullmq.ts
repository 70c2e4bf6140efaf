/** `npm run drills -- bullmq` */
import { fullDrill } from '../test/drill/full-drill.ts'

await fullDrill('bullmq')
