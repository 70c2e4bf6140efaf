/**
 * A statement as a client of pg sends it, by the interface that pg-cursor uses too. Our answers are one text, which pg would have
 * described anew for each call, to build parsers and a row from the description.
 */

type Sent = Buffer | string | null

interface Connection {
  readonly stream: { cork?(): void; uncork?(): void }
  readonly parsedStatements: Readonly<Record<string, string>>
  parse(statement: { name: string | undefined; text: string }): void
  bind(portal: { statement: string | undefined; values: Sent[] }): void
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
  readonly rowCount: number
}

type Callback = (error: Error | null, answer?: Answer) => void

/**
 * A copy without its methods, which tracers make, is a configuration that pg sends by itself, with the same callback. No member
 * is private: an object that inherits from this one has none.
 */
export class OwnQuery implements PromiseLike<Answer> {
  readonly name: string | undefined
  readonly text: string
  readonly values: Sent[]
  readonly types: object
  /** pg and tracers put another in its place. */
  callback: Callback
  /** `rows` would mean to pg how many rows it asks for at once. */
  readonly replies: unknown[] = []
  readonly answer: Promise<Answer>

  /** @throws TypeError where a value cannot be sent; from `submit` it would end the process, or block the client */
  constructor(name: string | undefined, text: string, values: unknown[], types: object) {
    let callback: Callback = ignore
    this.answer = new Promise((resolve, reject) => {
      callback = (error, answer) => {
        if (answer) resolve(answer)
        else reject(error)
      }
    })
    this.name = name
    this.text = text
    this.values = values.map(toSent)
    this.types = types
    this.callback = callback
  }

  // biome-ignore lint/suspicious/noThenProperty: wrappers of a client wait for what its `query` returns, and read the rows
  then<T = Answer, E = never>(
    onAnswer?: ((answer: Answer) => T | PromiseLike<T>) | null,
    onError?: ((error: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    return this.answer.then(onAnswer, onError)
  }

  submit(connection: Connection): void {
    const { name, text, values } = this
    connection.stream.cork?.()
    try {
      if (name === undefined || connection.parsedStatements[name] === undefined) connection.parse({ name, text })
      connection.bind({ statement: name, values })
      connection.execute({})
      connection.sync()
    } finally {
      connection.stream.uncork?.()
    }
  }

  handleDataRow({ fields }: { readonly fields: readonly unknown[] }): void {
    this.replies.push({ reply: fields[0] })
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.callback(null, { rows: this.replies, rowCount: this.replies.length })
  }

  handleError(error: Error): void {
    this.callback(error)
  }
}

/** Sends a statement, and resolves to its rows. */
export async function sendOwn(
  db: OwnQueries,
  name: string | undefined,
  text: string,
  values: unknown[],
  types: object,
) {
  const query = new OwnQuery(name, text, values, types)
  try {
    // pg returns nothing for a copy, and calls back
    return ((await db.query(query)) as Answer | undefined) ?? (await query.answer)
  } catch (error) {
    // a wrapper that failed by itself leaves the statement to fail later
    query.answer.catch(ignore)
    throw error
  }
}

function ignore(): void {}

function toSent(value: unknown): Sent {
  if (value === null || value === undefined) return null
  return ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : String(value)
}
