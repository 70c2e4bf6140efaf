/** Plain servers of Node answer the same behind a guard as without one. */
import { describeDifferential } from '../../../../conformance/src/http/differential/describe-differential.ts'
import { applications } from './differential/applications.ts'

const program = new URL('../../../../conformance/test/application-program.ts', import.meta.url)

describeDifferential(program, new URL('differential/applications.ts', import.meta.url), applications)
