import { migrate } from '@retryproof/sqlite'
import Database from 'better-sqlite3'
import { createApp } from './app.ts'

const { FORM_SECRET } = process.env
if (!FORM_SECRET) throw new Error('Set FORM_SECRET to random bytes, the same for every process.')
const database = new Database('bank.db')
await migrate({ database })
createApp(database, FORM_SECRET).listen(3000, () => console.log('http://localhost:3000/transfers/new'))
