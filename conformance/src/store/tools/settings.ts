/** Reads from the environment the number of runs, histories and rounds of the checks. */
export const settings = {
  /** FC_SEED: the seed of everything that is generated. */
  seed: fromEnvironment('FC_SEED', Math.floor(Math.random() * 0x7fff_ffff), Number.MIN_SAFE_INTEGER),
  /** FC_RUNS: model sequences. */
  runs: fromEnvironment('FC_RUNS', 300),
  /** FC_RUNS: handlers that are made at random, for each error handler of an application. */
  programs: fromEnvironment('FC_RUNS', 25),
  /** FC_HISTORIES: concurrent histories that are checked for linearizability. */
  histories: fromEnvironment('FC_HISTORIES', 100),
  /** FC_CUT_HISTORIES: the same, with connections that are cut. */
  cutHistories: fromEnvironment('FC_CUT_HISTORIES', 20),
  /** FC_ROUNDS: rounds of each race. */
  rounds: fromEnvironment('FC_ROUNDS', 10),
  /** FC_CONNECTIONS: calls that are in flight at once in a race. */
  connections: fromEnvironment('FC_CONNECTIONS', 16),
} as const

function fromEnvironment(name: string, otherwise: number, least = 1): number {
  const text = process.env[name]
  if (text === undefined || text === '') return otherwise
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`${name} must be a whole number of at least ${least}, got '${text}'`)
  }
  return value
}
