/** Requests as they fly: a dot with the number of the try, from the page to the server and back, or as far as it gets. */
import type { LiveEvents } from '../../src/board/live.ts'
import { element, make } from '../dom.ts'

type Flight = LiveEvents['flight']

const LEG_MS = 420
/** More at once would be a swarm, and nobody could follow. */
const MAX_DOTS = 40
const MAX_LINES = 8

const tries = new Map<string, number>()
const dots = new Map<number, { readonly dot: HTMLElement; readonly arrived: Promise<unknown> }>()
const still = matchMedia('(prefers-reduced-motion: reduce)')

export function showFlight(flight: Flight): void {
  if (flight.fate === 'on its way') {
    const number = (tries.get(flight.order) ?? 0) + 1
    tries.set(flight.order, number)
    if (dots.size < MAX_DOTS && !still.matches) takeOff(flight.id, number)
    return
  }
  void land(flight)
  writeLine(flight)
}

function takeOff(id: number, number: number): void {
  const dot = make('span', number > 1 ? 'dot again' : 'dot', String(number))
  dot.style.setProperty('--row', String(id % 5))
  element('lane').append(dot)
  dots.set(id, { dot, arrived: fly(dot, 0, 1) })
}

async function land({ id, fate, replayed }: Flight): Promise<void> {
  const flying = dots.get(id)
  if (!flying) return
  const { dot, arrived } = flying
  dots.delete(id)
  if (fate === 'request lost') {
    await stopAt(dot, 0.5)
    await fall(dot, 0.5)
  } else {
    await arrived
    dot.classList.add(fate === 'server died' ? 'died' : replayed ? 'replayed' : 'back')
    if (fate === 'server died') await fall(dot, 1)
    else if (fate === 'response lost') {
      await fly(dot, 1, 0.5)
      await fall(dot, 0.5)
    } else await fly(dot, 1, 0)
  }
  dot.remove()
}

/** Positions are shares of the lane, of which the dot's own width is no part. */
const at = (share: number) => `calc((100cqw - 100%) * ${share})`

function fly(dot: HTMLElement, from: number, to: number): Promise<unknown> {
  const frames = [{ translate: at(from) }, { translate: at(to) }]
  const duration = LEG_MS * Math.abs(to - from)
  return dot.animate(frames, { duration, easing: 'ease-in-out', fill: 'forwards' }).finished
}

/** It is on its way to the server already: it gets no further than here. */
function stopAt(dot: HTMLElement, share: number): Promise<unknown> {
  for (const animation of dot.getAnimations()) animation.cancel()
  return fly(dot, 0, share)
}

function fall(dot: HTMLElement, share: number): Promise<unknown> {
  dot.classList.add('lost')
  const frames = [
    { translate: `${at(share)} 0`, opacity: 1 },
    { translate: `${at(share)} 48px`, opacity: 0 },
  ]
  return dot.animate(frames, { duration: 500, easing: 'ease-in', fill: 'forwards' }).finished
}

/** The timeline of the last requests: it stays, so that a story can be read after it has happened. */
function writeLine(flight: Flight): void {
  const log = element('log')
  const line = make('li', markOf(flight), '')
  line.append(
    make('span', 'mono', flight.order),
    ` try ${tries.get(flight.order) ?? 1}: `,
    make('span', 'fate', wordsFor(flight)),
  )
  log.prepend(line)
  while (log.children.length > MAX_LINES) log.lastElementChild?.remove()
}

function markOf({ fate, status = 0, replayed }: Flight): string {
  if (fate !== 'answered') return 'lost'
  if (status >= 400) return 'refused'
  return replayed ? 'replayed' : 'back'
}

function wordsFor({ fate, status = 0, replayed }: Flight): string {
  if (fate === 'request lost') return 'lost on its way to the server'
  if (fate === 'response lost')
    return replayed
      ? 'answered from the record, and the answer got lost'
      : `the server answered ${status}, and the answer got lost`
  if (fate === 'server died') return 'the server was killed before it answered'
  if (status === 409) return 'not yet (409): another try is still running'
  if (status === 422) return 'refused (422): this key belongs to another payment'
  return replayed ? `answered from the record (${status})` : `answered (${status})`
}
