/** A process of a fleet: serves an application on Redis, and tells its parent the port. */
import { redisStore } from '@retryproof/redis'
import { Redis } from 'ioredis'
import type { ServeApp } from './describe-fleet.ts'

const { FLEET_APP = '', FLEET_REDIS = '', FLEET_PREFIX = '' } = process.env
const { serve } = (await import(FLEET_APP)) as { serve: ServeApp }
const client = new Redis(FLEET_REDIS, { autoResendUnfulfilledCommands: false })
const { port } = await serve(redisStore({ client, prefix: FLEET_PREFIX }))
process.send?.(port)
