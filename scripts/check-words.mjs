// Checks the first word of each sentence of JSDoc, and of each other comment: a verb or a noun, and none of the words that
// leave a sentence without a main clause.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const MAX_SHARE = 0.02
const opener = /^(what|who|whoever|whose|whom|where|how|whether|which)\b/i

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const list = process.argv.includes('--list')
const sources = ['*.ts', '*.tsx', '*.mts', '*.mjs']
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', ...sources], {
  cwd: root,
  encoding: 'utf8',
})
const rooms = new Map()
for (const file of new Set(files.trim().split('\n'))) {
  const room = file.split('/').slice(0, 2).join('/')
  const { sentences, opened } = rooms.get(room) ?? { sentences: 0, opened: 0 }
  const found = sentencesOf(readFileSync(join(root, file), 'utf8'))
  const riddles = found.filter((sentence) => opener.test(sentence))
  if (list) for (const riddle of riddles) console.log(`${file}: ${riddle}`)
  rooms.set(room, { sentences: sentences + found.length, opened: opened + riddles.length })
}
const all = { sentences: 0, opened: 0 }
for (const [room, { sentences, opened }] of rooms) {
  all.sentences += sentences
  all.opened += opened
  if (list) console.log(`${room}: ${opened} of ${sentences}`)
}
const share = all.opened / all.sentences
console.log(
  `Words: ${all.opened} of ${all.sentences} sentences of comments open with what, who, where, how, whether or which (${(share * 100).toFixed(1)} %).`,
)
if (share >= MAX_SHARE) {
  console.error(
    'Begin with a verb in the third person, or with a noun. `node scripts/check-words.mjs --list` names the sentences.',
  )
  process.exitCode = 1
}

/** The sentences of the comments of a file, without tags and examples. */
function sentencesOf(text) {
  const beginnings = [...text.matchAll(/(?<!^[ \t]*\/\/.*\n)(?:^|\s)\/\/ (.*)/gm)].map(([, comment]) => comment)
  return [...beginnings, ...documented(text)]
}

function documented(text) {
  return [...text.matchAll(/\/\*\*([\s\S]*?)\*\//g)].flatMap(([, comment]) => {
    const lines = comment.split('\n').map((line) => line.replace(/^\s*\* ?/, ''))
    const prose = lines
      .join('\n')
      .replace(/```[\s\S]*?```/g, '')
      .split(/^@example[\s\S]*?(?=^@|$(?![\s\S]))/m)
      .join('\n')
    return prose
      .replace(/^@(param \S+|returns?|default|throws)[^\n]*/gm, '')
      .split(/\n\s*\n|(?<=[.!?])\s+/)
      .map((sentence) => sentence.trim())
      .filter((sentence) => /^[A-Za-z`]/.test(sentence))
  })
}
