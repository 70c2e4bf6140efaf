// `node quickstart.mjs README.md memoryStore LOADER`: runs the first server of a text that has this store, as it stands there but
// for its port, and sends it the curl that follows, twice.
import { writeFileSync } from 'node:fs'
import { freePort, quickStartOf, sendTwice, whileServing } from './readme.mjs'

const [file, store, loader] = process.argv.slice(2)
const start = quickStartOf(file, store)
const port = await freePort()
const name = `${file.replace(/\W/g, '-')}-${store}.ts`
writeFileSync(name, start.program.replaceAll('3000', port))
await whileServing({ program: process.execPath, args: ['--import', loader, name], port }, () => sendTwice(start, port))
