import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { postgresStore, schema } from '../src/index.ts'

testMistypedOptions(
  ['postgresStore', postgresStore, 'lockTimeOuts', 'lockTimeout'],
  ['schema', schema, 'tabel', 'table'],
)
