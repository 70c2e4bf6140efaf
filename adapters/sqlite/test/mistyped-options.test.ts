import { testForeignClients } from '@retryproof/conformance/test-tools/foreign-clients'
import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { migrate, schema, sqliteStore } from '../src/index.ts'

testMistypedOptions(['sqliteStore', sqliteStore, 'databse', 'database'], ['schema', schema, 'tabel', 'table'])

testForeignClients('database', ['sqliteStore', sqliteStore], ['migrate', migrate])
