import { describeStore } from '@retryproof/conformance/vitest'
import { harnessOf, onEachServer } from './fixtures.ts'

await onEachServer(({ title, url, version }) => {
  const only = version.includes('MariaDB') ? ',SIMULTANEOUS_ASSIGNMENT,EMPTY_STRING_IS_NULL' : ''
  const session = [
    `SET SESSION sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE,STRICT_ALL_TABLES${only}', time_zone = '+05:45', sql_safe_updates = 1`,
    'SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE',
  ]
  describeStore(title, harnessOf(url))
  describeStore(
    `${title}, one call a statement, and settings that change its values`,
    harnessOf(
      url,
      {
        pool: {
          supportBigNumbers: true,
          bigNumberStrings: true,
          dateStrings: true,
          decimalNumbers: true,
          charset: 'latin1_swedish_ci',
          timezone: '-11:00',
          flags: ['-FOUND_ROWS'],
        },
        session,
      },
      { batch: false },
    ),
  )
  describeStore(
    `${title}, a pool with every setting that changes replies`,
    harnessOf(url, {
      pool: {
        rowsAsArray: true,
        nestTables: true,
        namedPlaceholders: true,
        supportBigNumbers: true,
        bigNumberStrings: true,
        dateStrings: true,
        disableEval: true,
        charset: 'latin1_swedish_ci',
        timezone: '-11:00',
        flags: ['-FOUND_ROWS'],
        typeCast: () => 'nonsense',
      },
      session,
    }),
  )
})
