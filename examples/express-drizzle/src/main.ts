import { migrate } from '@retryproof/postgres'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { createApp, createTables } from './app.ts'

const pool = new pg.Pool() // PGHOST, PGUSER, … say where
await migrate({ pool })
await drizzle(pool).execute(createTables)
createApp(pool).listen(3000, () => console.log('http://localhost:3000/orders'))
