import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { lruCache, tieredStore } from '../src/index.ts'

testMistypedOptions(['tieredStore', tieredStore, 'cachefor', 'cacheFor'], ['lruCache', lruCache, 'maxByte', 'maxBytes'])
