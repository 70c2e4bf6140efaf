/** No member of Koa's context and response is missing in the table of the differential suite. */
import Koa, { type Context } from 'koa'
import Koa2 from 'koa2'
import { expect, it } from 'vitest'
import {
  gapsOf,
  membersOf,
  touchedMembers,
  watched,
} from '../../../conformance/src/http/differential/touched-members.ts'
import { koaApplication } from './differential/applications.ts'
import { koa3Endings, koaEndings } from './differential/endings.ts'

/** Members of the context, but for those of the request alone, and those of the response. */
function answering({ context, request, response }: Koa): string[] {
  const ofResponse = membersOf(response)
  const ofRequest = new Set(membersOf(request).filter((name) => !ofResponse.includes(name)))
  return [...new Set([...membersOf(context), ...ofResponse])].filter((name) => !ofRequest.has(name))
}

it.each([
  ['3', Koa, koa3Endings],
  ['2', Koa2, koaEndings],
] as const)(
  'each member by which Koa %s answers is used by a handler of the table',
  async (name, Framework, endings) => {
    const touched = await touchedMembers<[Context]>(
      endings.filter(({ name: ending, hangs }) => !ending.startsWith('response: ') && !hangs),
      (names, [ctx]) => [watched(ctx, names, ['response'])],
      (given) => koaApplication(name, Framework, 'HTTP/1.1', given),
    )
    expect(gapsOf(answering(new Framework()), touched, {})).toEqual([])
  },
)
