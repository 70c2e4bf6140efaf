import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { mongodbStore } from '../src/index.ts'

testMistypedOptions(['mongodbStore', mongodbStore, 'colection', 'collection'])
