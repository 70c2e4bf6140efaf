/** Counts leases down, and keeps a page up to date: it asks again and again, more rarely while nothing changes. */

const SLOWEST_S = 60
const main = document.querySelector<HTMLElement>('[data-live-s]')
const shortestS = Number(main?.dataset.liveS ?? 0)
const pause = document.querySelector<HTMLButtonElement>('[data-live-pause]')
const status = document.querySelector<HTMLElement>('[data-live-status]')

let waitS = shortestS
let timer = 0
let isPaused = false
let readAt = performance.now()

/** Returns a time as the server writes it. */
function words(ms: number): string {
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const
  let left = Math.ceil(ms / 1000)
  const parts: string[] = []
  for (const [name, size] of units) {
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0 && parts.length < 2) parts.push(`${count}${name}`)
  }
  return parts.join(' ') || '0s'
}

function countDown(): void {
  const passedMs = performance.now() - readAt
  for (const part of document.querySelectorAll<HTMLElement>('[data-countdown-ms]'))
    part.textContent = words(Math.max(0, Number(part.dataset.countdownMs) - passedMs))
}

function say(text: string): void {
  if (status) status.textContent = text
}

function waitNext(): void {
  window.clearTimeout(timer)
  if (!isPaused && !document.hidden) timer = window.setTimeout(() => void read(), waitS * 1000)
}

/** Tells whether a person is at work in a part of the page, so that it must stay as it is. */
function isBusy(region: Element): boolean {
  const selection = window.getSelection()
  return (
    region.contains(document.activeElement) ||
    (selection?.isCollapsed === false && region.contains(selection.anchorNode))
  )
}

/** Says why a page will not be up to date again before a person loads it; empty where it may be. */
function endingOf({ status, redirected }: Response): string {
  if (redirected || status === 401 || status === 403) return 'You are signed out. Load the page to sign in again.'
  return status === 404 ? 'This record is gone. Load the page again.' : ''
}

function end(text: string): void {
  isPaused = true
  if (pause) pause.hidden = true
  say(text)
}

async function read(): Promise<void> {
  try {
    const response = await fetch(location.href, { credentials: 'same-origin' })
    const ending = endingOf(response)
    if (ending) return end(ending)
    if (!response.ok) throw new Error(String(response.status))
    const sentAt = performance.now()
    const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
    let isChanged = false
    for (const region of document.querySelectorAll<HTMLElement>('[data-live-region]')) {
      const next = fresh.querySelector(`[data-live-region="${region.dataset.liveRegion}"]`)
      if (!next || isBusy(region)) continue
      isChanged ||= plain(region) !== plain(next)
      region.replaceChildren(...next.childNodes)
    }
    document.title = fresh.title
    readAt = sentAt
    waitS = isChanged ? shortestS : Math.min(SLOWEST_S, waitS * 1.5)
    say(`Updated at ${new Date().toLocaleTimeString()}`)
  } catch {
    waitS = Math.min(SLOWEST_S, waitS * 2)
    say(`Not updated: no answer. Next try in ${Math.round(waitS)} s.`)
  }
  countDown()
  waitNext()
}

/** The text of a part without its running times. */
function plain(region: Element): string {
  return (region.textContent ?? '').replace(/\d+(ms|s|m|h|d)\b/g, '')
}

pause?.addEventListener('click', () => {
  isPaused = !isPaused
  pause.setAttribute('aria-pressed', String(isPaused))
  say(isPaused ? 'Updates are paused.' : '')
  waitS = shortestS
  waitNext()
})
document.addEventListener('visibilitychange', () => {
  waitS = shortestS
  waitNext()
})
if (pause?.parentElement) pause.parentElement.hidden = false
window.setInterval(countDown, 1000)
waitNext()
