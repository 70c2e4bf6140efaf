/** Every server that tests may ask for: where it comes from, how it starts, how a given URL is probed. */
import * as brokers from './brokers.mjs'
import { maven } from './java.mjs'
import { distribution, mongod, newer } from './obtain.mjs'
import * as other from './other.mjs'
import * as redis from './redis.mjs'
import * as sql from './sql.mjs'

const redisServer = distribution('redis-server', { image: 'redis:8' })
const postgresServer = distribution('postgres', { packages: ['postgresql'], image: 'postgres:18', unprivileged: true })
const newerRedis = { redis: redisServer, redis8: newer(), valkey: newer() }
const family = (name) => redis.redisFamily(name === 'valkey' ? 'valkey-server' : 'redis-server')

/** A shape of Redis; the option `server` chooses `redis` (default), `redis8` or `valkey`. */
const redisShape = (shape, byDefault = 'redis') => ({
  obtain: ({ server = byDefault }) => newerRedis[server](),
  start: (program, options) => family(options.server ?? byDefault)[shape](program, options),
  probe: redis.probe,
})

export const catalogue = {
  redis: redisShape('alone'),
  'redis-replica': redisShape('withReplicas'),
  'redis-cluster': redisShape('cluster'),
  'redis-sentinel': redisShape('sentinel'),
  redis8: redisShape('alone', 'redis8'),
  valkey: redisShape('alone', 'valkey'),
  postgres: { obtain: postgresServer, start: sql.postgres, probe: sql.probePostgres },
  'postgres-replica': { obtain: postgresServer, start: sql.postgresReplica, probe: sql.probePostgres },
  postgres18: {
    obtain: newer({ bin: '/usr/lib/postgresql/18/bin', uid: 65534 }),
    start: sql.postgres,
    probe: sql.probePostgres,
  },
  pgbouncer: {
    obtain: distribution('pgbouncer', { unprivileged: true }),
    start: (program, options) => sql.pgbouncer(program, options, postgresServer),
    probe: sql.probePostgres,
  },
  mariadb: {
    obtain: distribution('mariadbd', { packages: ['mariadb-server'], image: 'mariadb:11' }),
    start: sql.mariadb,
    probe: sql.probeMysql,
  },
  mysql: { obtain: newer(), start: sql.mysql, probe: sql.probeMysql },
  mongodb: { obtain: mongod, start: other.mongodb, probe: other.probeMongodb },
  nats: { obtain: distribution('nats-server', { image: 'nats:2' }), start: other.nats, probe: other.probeNats },
  rabbitmq: {
    obtain: distribution('rabbitmq-server', { image: 'rabbitmq:4', unprivileged: true }),
    start: brokers.rabbitmq,
    probe: brokers.probeAmqp,
  },
  kafka: {
    obtain: maven({
      // without the second it logs nothing, not even why it ends
      artifacts: ['org.apache.kafka:kafka_2.13:3.9.1', 'org.slf4j:slf4j-simple:1.7.36'],
      binary: 'kafka-server-start.sh',
      image: 'apache/kafka:3.9.1',
    }),
    start: brokers.kafka,
    probe: brokers.probeKafka,
  },
  sqs: {
    obtain: maven({
      artifacts: ['org.elasticmq:elasticmq-server_2.13:1.6.12'],
      image: 'softwaremill/elasticmq-native:1.6.12',
    }),
    start: brokers.sqs,
    probe: brokers.probeSqs,
  },
  memcached: {
    obtain: distribution('memcached', { image: 'memcached:1', unprivileged: true }),
    start: other.memcached,
    probe: other.probeMemcached,
  },
}

/** For each kind of store: the variable that gives URLs, else the servers that are started, and those that `--next` adds. */
export const kinds = {
  redis: { variable: 'REDIS_URL', servers: ['redis'], next: ['redis8', 'valkey'] },
  'redis-cluster': { variable: 'REDIS_CLUSTER_URL', servers: ['redis-cluster'], next: [] },
  postgres: { variable: 'POSTGRES_URL', servers: ['postgres'], next: ['postgres18'] },
  pgbouncer: { variable: 'PGBOUNCER_URL', servers: ['pgbouncer'], next: [] },
  mysql: { variable: 'MYSQL_URL', servers: ['mariadb'], next: ['mysql'] },
  mongodb: { variable: 'MONGODB_URL', servers: ['mongodb'], next: [] },
  nats: { variable: 'NATS_URL', servers: ['nats'], next: [] },
  rabbitmq: { variable: 'AMQP_URL', servers: ['rabbitmq'], next: [] },
  kafka: { variable: 'KAFKA_BROKERS', servers: ['kafka'], next: [] },
  sqs: { variable: 'SQS_ENDPOINT', servers: ['sqs'], next: [] },
  memcached: { variable: 'MEMCACHED_URL', servers: ['memcached'], next: [] },
}
