/** Documents of which none is ever gone: one that is deleted says when, and an audit says who did it. */
import type { Database } from 'better-sqlite3'

export interface Document {
  readonly id: string
  readonly text: string
  /** ISO 8601; null while it is there. */
  readonly deleted_at: string | null
}

export interface Documents {
  find(id: string): Document | undefined
  put(id: string, text: string): void
  /** Marks a document; one that is marked stays as it is. Undefined where there is none. */
  remove(id: string, actor: string): Document | undefined
}

export function createTables(database: Database): void {
  database.exec(`
    CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, text TEXT NOT NULL, deleted_at TEXT);
    CREATE TABLE IF NOT EXISTS audit (document_id TEXT NOT NULL, action TEXT NOT NULL, actor TEXT NOT NULL, at TEXT NOT NULL);
  `)
}

export function documentsOf(database: Database): Documents {
  const find = database.prepare<[string], Document>('SELECT * FROM documents WHERE id = ?')
  const put = database.prepare<[string, string]>(
    'INSERT INTO documents (id, text) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET text = excluded.text WHERE deleted_at IS NULL',
  )
  const mark = database.prepare<[string, string]>(
    'UPDATE documents SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL',
  )
  const audit = database.prepare<[string, string, string]>("INSERT INTO audit VALUES (?, 'delete', ?, ?)")

  // the mark and its entry commit together, so that neither is there without the other
  const remove = database.transaction((id: string, actor: string) => {
    const at = new Date().toISOString()
    if (mark.run(at, id).changes > 0) audit.run(id, actor, at)
    return find.get(id)
  })

  return {
    find: (id) => find.get(id),
    put: (id, text) => void put.run(id, text),
    remove: (id, actor) => remove.immediate(id, actor),
  }
}
