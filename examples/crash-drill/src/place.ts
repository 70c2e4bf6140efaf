/** Where a drill runs: what its processes have to know to work on the same records. */
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

/** What was done for a key, and the value that its doing gave. */
export interface Effect {
  readonly key: string
  readonly value: string
}
