import { describeStore } from '@retryproof/conformance/vitest'
import { createCasStore } from '../src/store/cas/cas-store.ts'
import { casMap } from './cas-map.ts'

const { storage } = casMap()
describeStore('createCasStore over a map', { open: ({ now }) => createCasStore({ ...storage, ...(now && { now }) }) })
