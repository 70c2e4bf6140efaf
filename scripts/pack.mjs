// Packs packages of this repository into tarballs, which is what users install.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Packs each folder into `destination`, and gives the paths of the tarballs, relative to it. */
export function pack(folders, destination) {
  for (const folder of folders)
    execute(join(root, 'node_modules/.bin/pnpm'), ['pack', '--pack-destination', destination], join(root, folder))
  return readdirSync(destination)
    .filter((file) => file.endsWith('.tgz'))
    .map((file) => `./${file}`)
}

/** Installs packages into a project with npm. No script of a package runs, so nothing is compiled. */
export function install(project, packages) {
  execute('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', ...packages], project)
}

export function execute(program, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? ''}\n${stdout}\n${stderr}`)
  return stdout
}
