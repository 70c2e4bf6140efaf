// Checks that whatever a text links to inside of the repository is there, and has the heading that is named.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const texts = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { cwd: root, encoding: 'utf8' })
  .stdout.split('\n')
  .filter(Boolean)

const broken = texts.flatMap((text) =>
  linksOf(text)
    .filter((link) => !leadsSomewhere(text, link))
    .map((link) => `${text}: ${link}`),
)
for (const line of broken) console.error(`leads nowhere: ${line}`)
console.log(`Links: ${texts.length} texts checked, ${broken.length === 0 ? 'in order' : 'NOT in order'}.`)
process.exitCode = broken.length === 0 ? 0 : 1

function linksOf(text) {
  const prose = readFileSync(join(root, text), 'utf8').replace(/^```[\s\S]*?^```$/gm, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link).filter((link) => !/^[a-z]+:/.test(link))
}

function leadsSomewhere(text, link) {
  const [path, heading] = link.split('#')
  const target = path ? join(dirname(text), path) : text
  if (!existsSync(join(root, target))) return false
  return heading === undefined || headingsOf(target).includes(heading)
}

/** As they are named in links: lower case, without punctuation, dashes for spaces. */
function headingsOf(text) {
  const lines = readFileSync(join(root, text), 'utf8').match(/^#+ .*$/gm) ?? []
  return lines.map((line) =>
    line
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
