import { migrate } from '@retryproof/sqlite'
import Database from 'better-sqlite3'
import { createApp } from './app.ts'
import { createTables } from './documents.ts'

const database = new Database('documents.db')
await migrate({ database })
createTables(database)
createApp(database).listen(3000, () => console.log('http://localhost:3000/documents'))
