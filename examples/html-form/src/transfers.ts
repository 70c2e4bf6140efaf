/** Transfers, and the pages that show them. */
import type { Database } from 'better-sqlite3'

export interface Transfer {
  readonly id: number
  readonly owner: string
  readonly recipient: string
  readonly amount: number
}

export function createTransfers(database: Database) {
  database.exec(
    'CREATE TABLE IF NOT EXISTS transfers (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, recipient TEXT NOT NULL, amount INTEGER NOT NULL)',
  )
  const insert = database.prepare<[string, string, number], { id: number }>(
    'INSERT INTO transfers (owner, recipient, amount) VALUES (?, ?, ?) RETURNING id',
  )
  const find = database.prepare<[number, string], Transfer>('SELECT * FROM transfers WHERE id = ? AND owner = ?')
  return {
    make(owner: string, { to, amount }: { readonly to: string; readonly amount: string }): { id: number } {
      return { id: insert.get(owner, to, Number(amount))?.id ?? 0 }
    },
    find: (id: number, owner: string) => find.get(id, owner),
  }
}

/** The token is made of letters, digits, dots and dashes, and needs no escaping. */
export function formPage(token: string): string {
  return `<!doctype html>
<title>Transfer</title>
<form method="post" action="/transfers">
  <input type="hidden" name="token" value="${token}">
  <label>To <input name="to" required></label>
  <label>Amount <input name="amount" type="number" min="1" required></label>
  <button>Send</button>
</form>`
}

export function transferPage({ id, amount }: Transfer): string {
  return `<!doctype html><title>Transfer ${id}</title><p>Transfer ${id} of ${amount} was made.</p>`
}
