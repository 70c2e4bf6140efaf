/** Loads packages from the project in which the command runs. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CliError, exitCodes } from '../exit-codes.ts'

/** @throws {@link CliError} naming what to install, when the project does not have the package */
export async function loadModule<Module>(cwd: string, name: string, needed: readonly string[]): Promise<Module> {
  const file = resolveFrom(cwd, name)
  if (file === undefined) {
    throw new CliError(
      `The project in ${cwd} does not have ${name}. Install what this store needs: npm install ${needed.join(' ')}`,
      exitCodes.usage,
    )
  }
  return (await import(file)) as Module
}

function resolveFrom(cwd: string, name: string): string | undefined {
  try {
    const resolved = createRequire(join(cwd, 'package.json')).resolve(name)
    return resolved.startsWith('/') || /^[A-Za-z]:/.test(resolved) ? pathToFileURL(resolved).href : resolved
  } catch {
    return undefined
  }
}
