import { testForeignClients } from '@retryproof/conformance/test-tools/foreign-clients'
import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { migrate, mysqlStore, schema } from '../src/index.ts'

testMistypedOptions(['mysqlStore', mysqlStore, 'maxValueByte', 'maxValueBytes'], ['schema', schema, 'tabel', 'table'])

testForeignClients('pool', ['mysqlStore', mysqlStore], ['migrate', migrate])
