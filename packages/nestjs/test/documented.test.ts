/** No decorator of NestJS that answers, and no exception, is missing in the table of the differential suite. */
import * as common from '@nestjs/common'
import * as http from '@nestjs/common/decorators/http/index.js'
import { expect, it } from 'vitest'
import { gapsOf } from '../../../conformance/src/http/differential/touched-members.ts'
import { decoratedEndings } from './differential/decorated.ts'

const names = new Set(decoratedEndings('Express').map(({ name }) => name.split(' ')[0] ?? ''))

/** Decorators that name a route or give a parameter. */
const silent = new Set([
  ...['All', 'Copy', 'Delete', 'Get', 'Head', 'Lock', 'Mkcol', 'Move', 'Options', 'Patch', 'Post', 'Propfind'],
  ...['Proppatch', 'Put', 'QueryMethod', 'RequestMapping', 'Search', 'Unlock'],
  ...['Body', 'Headers', 'HostParam', 'Ip', 'Next', 'Param', 'Query', 'RawBody', 'Req', 'Request', 'Res', 'Response'],
  ...['Session', 'SseSignal', 'SSE_ABORT_CONTROLLER', 'UploadedFile', 'UploadedFiles'],
  ...['assignMetadata', 'createParamDecorator'],
])

it('each decorator that answers has a handler in the table', () => {
  const missing = Object.keys(http).filter((name) => !silent.has(name) && !names.has(`@${name}`))
  expect(missing).toEqual([])
})

it('each exception has a handler in the table', () => {
  const exceptions = Object.keys(common).filter((name) => name.endsWith('Exception'))
  expect(gapsOf(exceptions, names, { HttpException: 'it takes a status and a body' })).toEqual([])
})
