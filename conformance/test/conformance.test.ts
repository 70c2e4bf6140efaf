import { describeStore } from '../src/vitest.ts'
import { referenceStore } from './reference-store.ts'

describeStore('reference', { open: referenceStore })
