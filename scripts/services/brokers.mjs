/** Message brokers: RabbitMQ. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { converse, freePort, makeFolder, startNode } from './nodes.mjs'

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
    const name = `retryproof-${process.pid}-${port}`
    const command = ['docker', 'run', '--rm', '--name', name, '-p', `127.0.0.1:${port}:5672`, program.image]
    const afterwards = ['docker', 'rm', '-f', name]
    return { nodes: [await startNode({ port, url, command, folder, afterwards, ready })], folders: [folder] }
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
