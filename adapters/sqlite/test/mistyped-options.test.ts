import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { schema, sqliteStore } from '../src/index.ts'

testMistypedOptions(['sqliteStore', sqliteStore, 'databse', 'database'], ['schema', schema, 'tabel', 'table'])
