/** Finds the members of a framework's response that no handler of a table has touched. */
import { randomUUID } from 'node:crypto'
import type { Application, Bench, Ending } from './application.ts'
import { exchange } from './wire/exchange.ts'

/** Gives the public names of an object and of its prototypes, up to one that it shares with others. */
export function membersOf(given: object, ends: readonly (object | null)[] = [Object.prototype]): string[] {
  const names = new Set<string>()
  for (let each: object | null = given; each && !ends.includes(each); each = Object.getPrototypeOf(each)) {
    for (const name of Object.getOwnPropertyNames(each))
      if (name !== 'constructor' && !name.startsWith('_')) names.add(name)
  }
  return [...names].sort()
}

/**
 * Stands for an object, and notes each name that is read or written.
 *
 * @param parts members of which the names are noted as well
 */
export function watched<T extends object>(target: T, touched: Set<string>, parts: readonly string[] = []): T {
  const proxy: T = new Proxy(target, {
    get(_target, name) {
      touched.add(String(name))
      const value: unknown = Reflect.get(target, name, target)
      if (parts.includes(String(name))) return watched(value as object, touched)
      if (typeof value !== 'function') return value
      return (...parameters: unknown[]) => {
        const result: unknown = Reflect.apply(value, target, parameters)
        return result === target ? proxy : result
      }
    },
    set(_target, name, value) {
      touched.add(String(name))
      return Reflect.set(target, name, value, target)
    },
  })
  return proxy
}

/**
 * Gives the members that no handler touched and nobody named as silent, and those that are named although a handler touched
 * them.
 *
 * @param silent members that give a client nothing, each with the reason
 */
export function gapsOf(
  members: readonly string[],
  touched: ReadonlySet<string>,
  silent: Readonly<Record<string, string>>,
): string[] {
  return members.filter((name) => touched.has(name) === Object.hasOwn(silent, name))
}

/** Gives the names that the handlers of a table touch when each is asked once, without a guard. */
export async function touchedMembers<Parameters extends readonly unknown[]>(
  endings: readonly Ending<Parameters>[],
  watch: (touched: Set<string>, parameters: Parameters) => Parameters,
  applicationOf: (endings: readonly Ending<Parameters>[]) => Application,
): Promise<Set<string>> {
  const touched = new Set<string>()
  const asked = endings
    .filter(({ end, program }) => end !== 'silent' && !program)
    .map((ending) => ({
      ...ending,
      handle: (...parameters: Parameters) => ending.handle(...watch(touched, parameters)),
    }))
  const application = applicationOf(asked)
  const port = await application.serve('bare', { ran() {}, async write() {} } as Partial<Bench> as Bench)
  for (const [index, { path = '', headers }] of asked.entries()) {
    const key = randomUUID()
    const target = `/own-200/${path}${index}`
    await exchange(application.protocol, port, { path: target, key, ...(headers && { headers }) })
  }
  return touched
}
