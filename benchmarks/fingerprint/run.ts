/**
 * Prints the CPU time that the fingerprint of a JSON body costs, as a ratio to JSON.parse of the same text: `npm run
 * fingerprint`. Medians of the process's own CPU time, so that other work on the machine counts little.
 */
import { createHash } from 'node:crypto'
import { canonicalText } from '@retryproof/core/internal'

const ROUNDS = 9
const MIB = 1_048_576

function order(id: number): string {
  const address = { street: 'Main St 1', city: 'Zürich', zip: '8001' }
  const customer = { name: `Customer ${id}`, email: `c${id}@example.com`, address }
  const items = [
    { sku: `A-${id}`, quantity: 2, price: 19.99 },
    { sku: `B-${id}`, quantity: 1, price: 5 },
  ]
  return JSON.stringify({ id, customer, items, note: null, paid: true })
}

const repeated = (unit: string, size: number) => `[${`${unit},`.repeat(size / (unit.length + 1))}${unit}]`
const numbered = (unit: (index: number) => string, size: number) =>
  Array.from({ length: Math.floor(size / unit(1e5).length) }, (_, index) => unit(index)).join()

const bodies: Record<string, (size: number) => string> = {
  orders: (size) => `[${numbered(order, size)}]`,
  'small numbers': (size) => repeated('1', size),
  'empty arrays': (size) => repeated('[]', size),
  'empty objects': (size) => repeated('{}', size),
  'members in order': (size) => repeated('{"a":1,"b":2}', size),
  'members out of order': (size) => repeated('{"b":2,"a":1}', size),
  'one object': (size) => `{${numbered((index) => `"k${index}":${index}`, size)}}`,
  'one text': (size) => JSON.stringify('x'.repeat(size)),
  escapes: (size) => `"${'\\u00e9'.repeat(size / 6)}"`,
  'long numbers': (size) => `[${numbered((index) => `0.12345678901234567${index}`, size)}]`,
  'deep arrays': (size) => repeated('['.repeat(900) + ']'.repeat(900), size),
}

function cpuMs(work: () => unknown): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  })
  return times.sort((left, right) => left - right)[Math.floor(ROUNDS / 2)] ?? 0
}

function fingerprint(bytes: Uint8Array): string {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  return createHash('sha256').update(canonicalText(text)).digest('hex')
}

const sizes = process.argv.includes('--large') ? [MIB, 5 * MIB, 20 * MIB] : [MIB]
for (const [name, make] of Object.entries(bodies)) {
  for (const size of sizes) {
    const text = make(size)
    const bytes = new TextEncoder().encode(text)
    const parse = cpuMs(() => JSON.parse(text) as unknown)
    const ours = cpuMs(() => fingerprint(bytes))
    const figures = `parse ${parse.toFixed(1)} ms, fingerprint ${ours.toFixed(1)} ms, ratio ${(ours / parse).toFixed(2)}`
    console.log(`${name.padEnd(22)} ${(bytes.length / MIB).toFixed(1).padStart(4)} MiB  ${figures}`)
  }
}
