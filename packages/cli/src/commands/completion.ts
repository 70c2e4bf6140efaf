/** `retryproof completion`: scripts for shells, from the commands and options that there are. */
import type { Command } from 'commander'
import { CliError } from '../exit-codes.ts'

const SHELLS: Readonly<Record<string, (words: Words) => string>> = { bash, zsh, fish }

/** Commands with their descriptions and options. */
type Words = readonly { readonly name: string; readonly description: string; readonly options: readonly string[] }[]

export function completion(program: Command, shell: string): string {
  const script = SHELLS[shell]
  if (!script) throw new CliError(`The shell is one of ${Object.keys(SHELLS).join(', ')}.`)
  const shared = optionsOf(program)
  return script(
    program.commands.map((command) => ({
      name: command.name(),
      description: command.description(),
      options: [...optionsOf(command), ...shared],
    })),
  )
}

const optionsOf = (command: Command): string[] => command.options.flatMap(({ long }) => (long ? [long] : []))

function bash(words: Words): string {
  const cases = words.map(({ name, options }) => `    ${name}) words="${options.join(' ')}" ;;`)
  return `_retryproof() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words="${words.map(({ name }) => name).join(' ')}"
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  if [ "$COMP_CWORD" -gt 1 ] && [ "\${word:0:1}" != - ]; then words=""; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _retryproof retryproof
`
}

function zsh(words: Words): string {
  const commands = words.map(({ name, description }) => `    '${name}:${description.replaceAll("'", '’')}'`)
  const cases = words.map(({ name, options }) => `    ${name}) compadd -- ${options.join(' ')} ;;`)
  return `#compdef retryproof
_retryproof() {
  local -a commands=(
${commands.join('\n')}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  if [[ $words[CURRENT] != -* ]]; then _files; return; fi
  case $words[2] in
${cases.join('\n')}
  esac
}
compdef _retryproof retryproof
`
}

function fish(words: Words): string {
  return words
    .flatMap(({ name, description, options }) => [
      `complete -c retryproof -n __fish_use_subcommand -a ${name} -d '${description.replaceAll("'", '’')}'`,
      ...options.map(
        (option) => `complete -c retryproof -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}`,
      ),
    ])
    .map((line) => `${line}\n`)
    .join('')
}
