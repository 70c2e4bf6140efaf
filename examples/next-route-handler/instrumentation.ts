/** Next runs this once, before the first request. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return
  const { idempotency } = await import('./lib/idempotency')
  // Next itself closes the server, and ends the process when what runs has been answered
  process.once('SIGTERM', () => {
    void idempotency.drain({ timeout: '20s' })
    console.log('draining')
  })
}
