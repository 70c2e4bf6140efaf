/** `npm run drills -- kafka` */
import { fullDrill } from '../test/drill/full-drill.ts'

await fullDrill('kafka')
