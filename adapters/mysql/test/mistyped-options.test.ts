import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { mysqlStore, schema } from '../src/index.ts'

testMistypedOptions(['mysqlStore', mysqlStore, 'maxValueByte', 'maxValueBytes'], ['schema', schema, 'tabel', 'table'])
