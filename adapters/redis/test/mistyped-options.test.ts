import { testForeignClients } from '@retryproof/conformance/test-tools/foreign-clients'
import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { redisStore } from '../src/index.ts'

testMistypedOptions(['redisStore', redisStore, 'prefiks', 'prefix'])

testForeignClients('client', ['redisStore', redisStore])
