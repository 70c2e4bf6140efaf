import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { memoryStore } from '../src/index.ts'

testMistypedOptions(['memoryStore', memoryStore, 'maxRecord', 'maxRecords'])
