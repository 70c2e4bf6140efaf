import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { redisStore } from '../src/index.ts'

testMistypedOptions(['redisStore', redisStore, 'prefiks', 'prefix'])
