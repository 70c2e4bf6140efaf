import { migrate } from '@retryproof/mongodb'
import { MongoClient } from 'mongodb'
import { createApp } from './app.ts'

const client = await new MongoClient(process.env.MONGODB_URL ?? 'mongodb://127.0.0.1:27017/?replicaSet=rs0').connect()
const database = client.db('tickets')
await migrate({ collection: database.collection('idempotency') })
await createApp(database).listen({ port: 3000 })
