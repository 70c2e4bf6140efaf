import { testForeignClients } from '@retryproof/conformance/test-tools/foreign-clients'
import { testMistypedOptions } from '@retryproof/conformance/test-tools/mistyped-options'
import { migrate, mongodbStore } from '../src/index.ts'

testMistypedOptions(['mongodbStore', mongodbStore, 'colection', 'collection'])

testForeignClients('collection', ['mongodbStore', mongodbStore], ['migrate', migrate])
