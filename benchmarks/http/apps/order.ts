/** About 1 KiB of JSON comes, and 1 KiB goes. */
export const answerTo = (order: { readonly amount: number }) => ({
  id: 'charge_1',
  amount: order.amount,
  note: 'x'.repeat(950),
})
