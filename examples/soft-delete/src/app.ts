/** Documents over HTTP. A DELETE may be sent again, with its key or with another: what it did first stays. */
import { createIdempotency } from '@retryproof/core'
import { idempotent } from '@retryproof/express'
import { sqliteStore } from '@retryproof/sqlite'
import type { Database } from 'better-sqlite3'
import express, { type Express, type Request } from 'express'
import { documentsOf } from './documents.ts'

const userOf = (req: Request) => req.get('x-user') ?? ''

export function createApp(database: Database): Express {
  const idempotency = createIdempotency({ store: sqliteStore({ database }), namespace: 'documents' })
  const documents = documentsOf(database)
  // POST and PATCH are guarded by themselves; a DELETE replays where it is named; GET and PUT pass as they are
  const guard = idempotent(idempotency, { scope: userOf, methods: ['DELETE'] })

  const app = express()
  app.use(express.json())
  // a stand-in for your own authentication: whose key it is has to be known before the key means anything
  app.use((req, res, next) => (userOf(req) ? next() : void res.status(401).end()))

  app
    .route('/documents/:id')
    .all(guard)
    .get((req, res) => {
      const document = documents.find(req.params.id)
      if (!document) res.status(404).end()
      else if (document.deleted_at) res.status(410).json({ deletedAt: document.deleted_at })
      else res.json({ id: document.id, text: document.text })
    })
    .put((req, res) => {
      documents.put(req.params.id, (req.body as { text: string }).text)
      res.status(204).end()
    })
    .delete((req, res) => {
      const document = documents.remove(req.params.id, userOf(req))
      if (!document) res.status(404).end()
      else res.json({ id: document.id, deletedAt: document.deleted_at })
    })
  return app
}
