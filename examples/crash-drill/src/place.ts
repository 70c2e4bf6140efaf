/** Describes the place of a drill, so that all its processes work on the same records. */
export type BackendName = 'postgres' | 'mariadb' | 'mysql' | 'sqlite' | 'mongodb' | 'redis'

export interface Place {
  readonly backend: BackendName
  /** The server; empty for SQLite. */
  readonly url: string
  /** In letters and digits: names tables, databases and prefixes that nobody else has. */
  readonly name: string
  /** Holds the downstream, and the database of SQLite. */
  readonly folder: string
}

/** The effect of a key, and the value that it gave. */
export interface Effect {
  readonly key: string
  readonly value: string
}
