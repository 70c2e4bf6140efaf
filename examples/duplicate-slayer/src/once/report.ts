/** The table at the end, and the verdict. */
import { resultOf } from '../board/result.ts'
import type { Shop } from '../shop/shop.ts'
import { scenarios } from './scenarios.ts'

/** Prints Key | Status | Attempts | Result and the charges at the provider; true if each payment has exactly one. */
export async function report(shop: Shop, lostResponses: number): Promise<boolean> {
  const charges = await shop.charges()
  const payments = await Promise.all(
    scenarios.map(async ({ key }) => ({ key, record: await shop.inspect(key), charges: charges.get(key) ?? 0 })),
  )
  const table = payments.map(({ key, record, charges }) => [
    key,
    record?.state ?? '–',
    String(record?.attempt ?? '–'),
    resultOf(record?.value) ?? '–',
    String(charges),
  ])
  const rows = [['Key', 'Status', 'Attempts', 'Result', 'Charges'], ...table]
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  console.log('')
  for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | '))
  const total = payments.reduce((sum, payment) => sum + payment.charges, 0)
  const wrong = payments.filter((payment) => payment.charges !== 1).length
  console.log(
    `\n${payments.length} payments, ${total} charges at the provider, ${lostResponses} responses lost.\n${
      wrong === 0
        ? 'Every payment was charged exactly once.'
        : `${wrong} payments were NOT charged exactly once: duplicate charges.`
    }`,
  )
  return wrong === 0
}
