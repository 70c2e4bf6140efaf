/** `retryproof completion`: scripts for shells, from the commands and options that there are. */
import type { Command } from 'commander'

interface Flag {
  /** With its hyphens. */
  readonly name: string
  /** The values that it takes, where they are few. */
  readonly values: readonly string[]
}

interface Words {
  readonly name: string
  readonly description: string
  readonly flags: readonly Flag[]
  /** The values of its argument, where they are few. */
  readonly values: readonly string[]
}

interface Program {
  readonly commands: readonly Words[]
  /** The options that stand before a command, too. */
  readonly shared: readonly Flag[]
}

const SCRIPTS: Readonly<Record<string, (program: Program) => string>> = { bash, zsh, fish }

export const SHELLS: readonly string[] = Object.keys(SCRIPTS)

export function completion(program: Command, shell: string): string {
  const shared = flagsOf(program)
  const commands = program.commands.map((command) => ({
    name: command.name(),
    description: command.description().replaceAll("'", '’'),
    flags: [...flagsOf(command), ...shared],
    values: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
  }))
  return SCRIPTS[shell]?.({ commands, shared }) ?? ''
}

const flagsOf = (command: Command): Flag[] =>
  command.options.flatMap(({ long, argChoices = [] }) => (long ? [{ name: long, values: argChoices }] : []))

const namesOf = (named: readonly { readonly name: string }[]): string => named.map(({ name }) => name).join(' ')

/** The values that may follow a word: an option, or a command. */
function valuesAfter({ commands }: Program): readonly Flag[] {
  const all = commands.flatMap(({ name, values, flags }) => [{ name, values }, ...flags])
  return all.filter(({ values }) => values.length > 0)
}

/** Branches of a `case` of bash and zsh. */
const branches = (all: readonly (readonly [word: string, does: string])[]): string =>
  all.map(([word, does]) => `    ${word}) ${does} ;;\n`).join('')

function bash(program: Program): string {
  const { commands, shared } = program
  return `_retryproof() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words="${namesOf(commands)} ${namesOf(shared)}" command="" at
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in ${commands.map(({ name }) => name).join('|')}) command="\${COMP_WORDS[at]}"; break ;; esac
  done
  case "$command" in
${branches(commands.map(({ name, flags }) => [name, `words="${namesOf(flags)}"`]))}  esac
  if [ -n "$command" ] && [ "\${word:0:1}" != - ]; then words=""; fi
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
${branches(valuesAfter(program).map(({ name, values }) => [name, `words="${values.join(' ')}"`]))}  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _retryproof retryproof
`
}

function zsh(program: Program): string {
  const { commands, shared } = program
  return `#compdef retryproof
_retryproof() {
  local -a commands=(
${commands.map(({ name, description }) => `    '${name}:${description}'\n`).join('')}  )
  local command=\${\${words[2,CURRENT-1]}[(r)(${commands.map(({ name }) => name).join('|')})]}
  case $words[CURRENT-1] in
${branches(valuesAfter(program).map(({ name, values }) => [name, `compadd -- ${values.join(' ')}; return`]))}  esac
  if [[ -z $command && $words[CURRENT] != -* ]]; then _describe command commands; return; fi
  if [[ $words[CURRENT] != -* ]]; then _files; return; fi
  case $command in
${branches([...commands.map(({ name, flags }) => [name, `compadd -- ${namesOf(flags)}`] as const), ['*', `compadd -- ${namesOf(shared)}`]])}  esac
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _retryproof retryproof
`
}

function fish({ commands, shared }: Program): string {
  const flag = (condition: string, { name, values }: Flag) =>
    `complete -c retryproof -n '${condition}' -l ${name.slice(2)}${values.length > 0 ? ` -xa '${values.join(' ')}'` : ''}`
  const lines = commands.flatMap(({ name, description, flags, values }) => [
    `complete -c retryproof -n __fish_use_subcommand -a ${name} -d '${description}'`,
    ...(values.length > 0
      ? [`complete -c retryproof -n '__fish_seen_subcommand_from ${name}' -xa '${values.join(' ')}'`]
      : []),
    ...flags.map((each) => flag(`__fish_seen_subcommand_from ${name}`, each)),
  ])
  return [...shared.map((each) => flag('__fish_use_subcommand', each)), ...lines].map((line) => `${line}\n`).join('')
}
