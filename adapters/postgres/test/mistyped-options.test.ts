import { testForeignClients } from '@retryproof/conformance/test-tools/foreign-clients'
import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { migrate, postgresStore, schema } from '../src/index.ts'

testMistypedOptions(
  ['postgresStore', postgresStore, 'lockTimeOuts', 'lockTimeout'],
  ['schema', schema, 'tabel', 'table'],
)

testForeignClients('pool', ['postgresStore', postgresStore], ['migrate', migrate])
