/** `npm run drills -- sqs` */
import { fullDrill } from '../test/drill/full-drill.ts'

await fullDrill('sqs')
