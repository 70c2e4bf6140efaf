/**
 * Statements that the server keeps prepared for a connection, so that it reads their text once. mysql2 remembers which, and
 * forgets those that it closes for others and those of a session that it resets.
 */
import type { FixedSql } from './sql.ts'

export type Callback<T = unknown> = (error: unknown, value: T) => void

/** A connection of mysql2's callback API. */
export interface CoreConnection {
  query(text: string, values: null, callback: Callback): void
  prepare(options: { sql: string }, callback: Callback): void
  unprepare(text: string): void
  execute(text: string, values: readonly (string | null)[], callback: Callback): void
}

/** The use of a statement that prepares it: those before show that the connection stays. */
const PREPARING_USE = 5

/** Refusals of a statement that the server does not know, could not prepare anew, or whose hex it could not read: it was not executed. */
const NOT_EXECUTED = [1210, 1243, 1411, 1615, 1690]

interface Use {
  count: number
  prepared?: unknown
}

/** The statements of a connection. Once one was refused or lost, all of them are sent as texts. */
class Prepared {
  readonly #connection: CoreConnection
  readonly #uses = new Map<string, Use>()
  #isOver = false

  constructor(connection: CoreConnection) {
    this.#connection = connection
  }

  send(statement: FixedSql, callback: Callback): void {
    const connection = this.#connection
    const { template } = statement
    const use = this.#useOf(template)
    use.count++
    const parameters = !this.#isOver && use.count >= PREPARING_USE ? statement.parameters : undefined
    const sendText = () => connection.query(statement.text, null, callback)
    const endWithText = () => {
      this.#end()
      sendText()
    }
    if (!parameters) sendText()
    else
      connection.prepare({ sql: template }, (refusal, prepared) => {
        if (Object(refusal).fatal) return callback(refusal, undefined)
        if (refusal || (use.prepared ?? prepared) !== prepared) return endWithText()
        use.prepared = prepared
        connection.execute(template, parameters, (error, reply) => {
          if (error && NOT_EXECUTED.includes(Object(error).errno)) endWithText()
          else callback(error, reply)
        })
      })
  }

  #useOf(template: string): Use {
    const use = this.#uses.get(template) ?? { count: 0 }
    this.#uses.set(template, use)
    return use
  }

  #end(): void {
    this.#isOver = true
    for (const template of this.#uses.keys()) this.#connection.unprepare(template)
  }
}

const ofConnection = new WeakMap<CoreConnection, Prepared>()

/** Returns the statements of a connection, which all stores on it share. */
export function preparedOn(connection: CoreConnection): Prepared {
  const known = ofConnection.get(connection)
  if (known) return known
  const made = new Prepared(connection)
  ofConnection.set(connection, made)
  return made
}
