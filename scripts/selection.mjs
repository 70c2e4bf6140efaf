// Reads what a script is asked to do: flags, and a pattern that selects from its list. A word that means nothing ends the script.
import { parseArgs } from 'node:util'

/**
 * The flags that are given, and `select`, which keeps the entries whose name matches the pattern. An unknown flag, `--help`, and a
 * pattern that no name matches end the script with a message.
 */
export function readSelection(script, flags) {
  const usage = `usage: npm run ${script} -- ${flags.map((flag) => `[--${flag}]`).join(' ')} [pattern]`
  const options = Object.fromEntries([...flags, 'help'].map((flag) => [flag, { type: 'boolean', default: false }]))
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true })
    const [pattern = '', ...others] = positionals
    if (values.help || others.length > 0) end(usage, values.help ? 0 : 2)
    return { ...values, select: (entries, nameOf) => selected(entries, nameOf, pattern) }
  } catch (error) {
    end(`${error.message}\n${usage}`, 2)
  }
}

function selected(entries, nameOf, pattern) {
  const found = entries.filter((entry) => new RegExp(pattern).test(nameOf(entry)))
  if (found.length === 0) end(`Nothing matches '${pattern}'; --list names what there is.`, 2)
  return found
}

function end(message, code) {
  console.error(message)
  process.exit(code)
}
