/** Message brokers: RabbitMQ, Kafka, SQS. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { converse, freePort, makeFolder, startNode } from './nodes.mjs'

const execute = promisify(execFile)

/** Through a client, so that credentials and TLS of a given URL are tried too. */
export async function probeAmqp(url) {
  const { connect } = await import('amqplib')
  const connection = await connect(url, { timeout: 5_000 })
  // a broker that is being stopped answers with an error on the connection besides the failed call
  connection.on('error', () => {})
  try {
    return connection.connection.serverProperties.version
  } finally {
    await connection.close().catch(() => {})
  }
}

/** A broker, and (from binaries) the name server of Erlang nodes that it needs, which otherwise stays behind as a daemon. */
export async function rabbitmq(program, options) {
  const folder = await makeFolder(program)
  const port = await freePort()
  const url = `amqp://guest:guest@127.0.0.1:${port}`
  const ready = () => probeAmqp(url)
  if (program.image) {
    const run = container(program.image, port, 5672, [])
    return { nodes: [await startNode({ port, url, folder, ready, ...run })], folders: [folder] }
  }
  const [namesPort, nodesPort] = [await freePort(), await freePort()]
  const env = rabbitmqEnvironment(folder.inside, { port, namesPort, nodesPort })
  writeFileSync(join(folder.path, 'enabled_plugins'), '[].\n', { mode: 0o644 })
  const names = await startNode({
    role: 'names',
    port: namesPort,
    url: `epmd://127.0.0.1:${namesPort}`,
    command: program.command('epmd', '-address', '127.0.0.1', '-port', String(namesPort)),
    folder,
    user: program.user,
    // the request for all names: its answer starts with the port of the server that gives it
    ready: () => converse(namesPort, '\0\x01n', /^(....)/s).then(() => ''),
  })
  const command = program.command('rabbitmq-server', ...(options.args ?? []))
  const node = await startNode({ port, url, command, env, folder, user: program.user, ready })
  return { nodes: [node, names], folders: [folder] }
}

/** Everything that two brokers of one machine would share, each in the service's own folder. */
function rabbitmqEnvironment(folder, { port, namesPort, nodesPort }) {
  return {
    HOME: folder,
    ERL_EPMD_PORT: String(namesPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // the script then becomes the broker instead of standing before it, so that a signal reaches the broker
    RUNNING_UNDER_SYSTEMD: '1',
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_NODENAME: `retryproof-${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(nodesPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(folder, 'pid'),
  }
}

/** The protocol does not say which version answers; a started broker's is known from where it came. */
export async function probeKafka(brokers) {
  const { Kafka, logLevel } = await import('kafkajs')
  const kafka = new Kafka({
    brokers: brokers.split(','),
    connectionTimeout: 2_000,
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { controller } = await admin.describeCluster()
    if (controller === null) throw new Error('it has no controller yet')
    return ''
  } finally {
    await admin.disconnect()
  }
}

/** One broker that is its own controller (KRaft), with a single partition for everything that it keeps for itself. */
export async function kafka(program, options) {
  const folder = await makeFolder(program)
  const [port, controllerPort] = [await freePort(), await freePort()]
  const url = `127.0.0.1:${port}`
  const settings = kafkaSettings({ port, controllerPort, options })
  const ready = () => probeKafka(url).then(() => program.version)
  if (program.image) {
    const inside = { ...settings, listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093' }
    inside['controller.quorum.voters'] = '1@localhost:9093'
    const variables = Object.entries(inside).map(
      ([key, value]) => `KAFKA_${key.toUpperCase().replaceAll('.', '_')}=${value}`,
    )
    const run = container(
      program.image,
      port,
      9092,
      variables.flatMap((variable) => ['-e', variable]),
    )
    return { nodes: [await startNode({ port, url, folder, ready, ...run })], folders: [folder] }
  }
  const file = join(folder.path, 'server.properties')
  const data = { ...settings, 'log.dirs': join(folder.path, 'data') }
  writeFileSync(
    file,
    Object.entries(data)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  const [java, ...format] = program.java([], 'kafka.tools.StorageTool', 'format', '-t', clusterId(), '-c', file)
  await execute(java, format, { cwd: folder.path })
  const command = program.java(['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'], 'kafka.Kafka', file)
  return { nodes: [await startNode({ port, url, folder, command, ready })], folders: [folder] }
}

function kafkaSettings({ port, controllerPort, options }) {
  const extra = (options.args ?? []).map((setting) => setting.split('=', 2))
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    // a group's first member would otherwise wait 3 s for others
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '500',
    // one that was killed is waited for that long before it may register again
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    ...(options.durable ? { 'log.flush.interval.messages': '1' } : {}),
    ...Object.fromEntries(extra),
  }
}

/** Leaves out those that begin with a dash, as Kafka itself does: a command line takes them for an option. */
function clusterId() {
  const id = randomBytes(16).toString('base64url')
  return id.startsWith('-') ? clusterId() : id
}

/** Any server that answers a question of the SQS API unsigned; it does not say which version it is. */
export async function probeSqs(endpoint) {
  const response = await fetch(new URL('?Action=ListQueues', endpoint), { signal: AbortSignal.timeout(5_000) })
  if (!response.ok) throw new Error(`it answered ${response.status}`)
  return ''
}

/** ElasticMQ. With `durable` it keeps queues and messages over a restart, else it forgets them. */
export async function sqs(program, options) {
  const folder = await makeFolder(program)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const ready = () => probeSqs(url).then(() => program.version)
  const file = join(folder.path, 'elasticmq.conf')
  writeFileSync(file, sqsSettings({ port, inner: program.image ? 9324 : port, data: folder.path, options }), {
    mode: 0o644,
  })
  if (program.image) {
    const run = container(program.image, port, 9324, ['-v', `${file}:/opt/elasticmq.conf:ro`])
    return { nodes: [await startNode({ port, url, folder, ready, ...run })], folders: [folder] }
  }
  const command = program.java([`-Dconfig.file=${file}`, ...(options.args ?? [])], 'org.elasticmq.server.Main')
  return { nodes: [await startNode({ port, url, folder, command, ready })], folders: [folder] }
}

/** `node-address` is what queue URLs begin with. */
function sqsSettings({ port, inner, data, options }) {
  const kept = `
    queues-storage { enabled = true, path = "${data}/queues.conf" }
    messages-storage { enabled = true, uri = "jdbc:h2:${data}/messages" }`
  return `include classpath("application.conf")
    node-address { protocol = http, host = 127.0.0.1, port = ${port}, context-path = "" }
    rest-sqs { enabled = true, bind-port = ${inner}, bind-hostname = "${inner === port ? '127.0.0.1' : '0.0.0.0'}", sqs-limits = strict }
    rest-stats { enabled = false }
    ${options.durable ? kept : ''}
  `
}

function container(image, port, inner, options) {
  const name = `retryproof-${process.pid}-${port}`
  return {
    command: ['docker', 'run', '--rm', '--name', name, '-p', `127.0.0.1:${port}:${inner}`, ...options, image],
    afterwards: ['docker', 'rm', '-f', name],
  }
}
