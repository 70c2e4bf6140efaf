import { afterAll, beforeAll, describe, test } from 'vitest'
import { browser as findBrowser } from '../../../scripts/browser.mjs'
import { service } from '../../../scripts/services.mjs'
import { type OpenDemo, openDemo, said, scored } from './open-demo.ts'

const { path: browser } = await findBrowser()
const servers = [
  { value: 'redis', variable: 'REDIS_URL', server: await service('redis') },
  { value: 'postgres', variable: 'POSTGRES_URL', server: await service('postgres') },
  { value: 'mysql', variable: 'MYSQL_URL', server: await service('mariadb') },
  { value: 'mongodb', variable: 'MONGODB_URL', server: await service('mongodb') },
]

describe.skipIf(!browser)(
  'the page on other stores, in Chromium (skipped where there is none)',
  { timeout: 60_000 },
  () => {
    let demo: OpenDemo
    beforeAll(async () => {
      const had = servers.filter(({ server }) => !server.missing)
      demo = await openDemo(
        browser ?? '',
        Object.fromEntries(had.map(({ variable, server }) => [variable, server.url])),
      )
    }, 60_000)
    afterAll(() => demo?.close())

    describe.each(servers)('$server.title', ({ value, server }) => {
      test.skipIf(server.missing)('charges once, through a kill too', async () => {
        await demo.page.selectOption('#store', value)
        await said(demo.page, /^Records are in/)
        await demo.page.click('#kill')
        await said(demo.page, /^Order \w+: charge \d+/)
        await scored(demo.page, 1, 1)
        await demo.page.locator('#rows .attempt:text-is("attempt 2")').waitFor()
      })
    })
  },
)
