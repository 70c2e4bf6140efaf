/** The table at the end, and the verdict. */
import { scenarios } from './scenarios.ts'
import type { Payment, Shop } from './shop.ts'

/** Prints Key | Status | Attempts | Result and the charges at the provider; true if each payment has exactly one. */
export async function report(shop: Shop): Promise<boolean> {
  const payments = await shop.payments(scenarios.map(({ key }) => key))
  const rows = [['Key', 'Status', 'Attempts', 'Result', 'Charges'], ...payments.map(toRow)]
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  console.log('')
  for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | '))
  const charges = payments.reduce((total, payment) => total + payment.charges, 0)
  const exact = payments.filter((payment) => payment.charges === 1).length
  console.log(
    `\n${payments.length} payments, ${charges} charges at the provider, ${shop.lostResponses()} responses lost.`,
  )
  const ok = exact === payments.length
  console.log(
    ok
      ? 'Every payment was charged exactly once.'
      : `${payments.length - exact} payments were NOT charged exactly once.`,
  )
  return ok
}

export function toRow({ key, record, charges }: Payment): string[] {
  const result = record?.value as { status?: number } | undefined
  return [
    key,
    record?.state ?? '–',
    String(record?.attempt ?? '–'),
    result?.status ? `HTTP ${result.status}` : '–',
    String(charges),
  ]
}
