import { Redis } from 'ioredis'
import { afterAll, expect, test } from 'vitest'
import { fresh } from '../stores.ts'
import { type Fault, onOwnServer, sentences, testServer } from './faults.ts'

await onOwnServer('redis', {}, (url) => {
  const client = new Redis(url)
  afterAll(() => client.disconnect())

  const withSetting = (name: string, bad: string, good: string, expected: RegExp): Fault => ({
    name: `${name} ${bad}`,
    make: async () => {
      await client.config('SET', name, bad)
    },
    undo: () => client.config('SET', name, good),
    expected,
  })

  const user = fresh()
  const without = (command: string, expected: RegExp): Fault => ({
    name: `a user without ${command}`,
    make: async () => {
      await client.acl('SETUSER', user, 'on', '>p', '~*', '&*', '+@all', `-${command}`)
      return Object.assign(new URL(url), { username: user, password: 'p' }).href
    },
    undo: () => client.acl('DELUSER', user),
    expected,
  })

  testServer(url, [
    withSetting('maxmemory-policy', 'allkeys-lru', 'noeviction', /problem: .*maxmemory-policy is allkeys-lru/),
    withSetting('maxmemory-policy', 'volatile-ttl', 'noeviction', /problem: .*maxmemory-policy is volatile-ttl/),
    withSetting('appendonly', 'no', 'yes', /warning: appendonly is off/),
    withSetting('min-replicas-to-write', '1', '0', /problem: .*replicas/),
    without('setrange', /problem: .*setrange/i),
    without('evalsha', /problem: .*evalsha/i),
  ])
})

await onOwnServer('redis-replica', {}, (_, [, replica = '']) => {
  test('the replica: it only reads', async () => {
    expect(await sentences(replica, 'r:')).toEqual([expect.stringMatching(/problem: .*replica/)])
  })
})
