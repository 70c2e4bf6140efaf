/**
 * A statement as a client of pg sends it, by the interface that pg-cursor uses too. Our answers are one text, which pg would have
 * described anew for each call, to build parsers and a row from the description.
 */

interface Connection {
  readonly stream: { cork?(): void; uncork?(): void }
  readonly parsedStatements: Readonly<Record<string, string>>
  parse(statement: { name: string | undefined; text: string }): void
  bind(portal: { statement: string | undefined; values: unknown[]; valueMapper: typeof toSent }): void
  execute(portal: object): void
  sync(): void
}

/** A client of pg in JavaScript that answers one statement after another. */
export interface OwnQueries {
  readonly connection: Connection
  query(query: OwnQuery): unknown
}

/** Tells whether `db` takes such a query: pg refuses them where many statements are in flight, and `pg-native` has no connection. */
export function takesOwnQueries(db: object): db is OwnQueries {
  const { connection, pipeline } = db as Partial<OwnQueries> & { readonly pipeline?: boolean }
  return typeof connection?.execute === 'function' && !pipeline
}

interface Answer {
  readonly rows: unknown[]
}

type Callback = (error: Error | null, answer?: Answer) => void

/** A copy without its methods, which tracers make, is a configuration that pg sends by itself, with the same callback. */
export class OwnQuery {
  readonly name: string | undefined
  readonly text: string
  readonly values: unknown[]
  readonly types: object
  /** pg and tracers put another in its place. */
  callback: Callback
  readonly #rows: unknown[] = []

  constructor(name: string | undefined, text: string, values: unknown[], types: object, callback: Callback) {
    this.name = name
    this.text = text
    this.values = values
    this.types = types
    this.callback = callback
  }

  submit(connection: Connection): void {
    const { name, text, values } = this
    connection.stream.cork?.()
    try {
      if (name === undefined || connection.parsedStatements[name] === undefined) connection.parse({ name, text })
      connection.bind({ statement: name, values, valueMapper: toSent })
      connection.execute({})
      connection.sync()
    } finally {
      connection.stream.uncork?.()
    }
  }

  handleDataRow({ fields }: { readonly fields: readonly unknown[] }): void {
    this.#rows.push({ reply: fields[0] })
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.callback(null, { rows: this.#rows })
  }

  handleError(error: Error): void {
    this.callback(error)
  }
}

/** Sends a statement, and resolves to its rows. */
export function sendOwn(db: OwnQueries, name: string | undefined, text: string, values: unknown[], types: object) {
  return new Promise<Answer>((resolve, reject) => {
    const query = new OwnQuery(name, text, values, types, (error, answer) => {
      if (answer) resolve(answer)
      else reject(error)
    })
    const returned = db.query(query)
    // a wrapper of the client may answer by a promise, and not call back
    if (returned !== query)
      Promise.resolve(returned as Answer | undefined).then((answer) => answer?.rows && resolve(answer), reject)
  })
}

function toSent(value: unknown): Buffer | string | null {
  if (value === null || value === undefined) return null
  return ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : String(value)
}
