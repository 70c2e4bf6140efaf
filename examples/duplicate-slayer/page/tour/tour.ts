/** The guided tour: the first chapter plays by itself, and each click plays the next one. */
import { element, make } from '../dom.ts'
import { type Chapter, chapters } from './chapters.ts'
import { openLane } from './lanes.ts'

const STEP_MS = 1400

/** Stops the telling that runs, when another begins. */
let telling = 0

export function startTour(): void {
  const next = element<HTMLButtonElement>('tour-next')
  const buttons = chapters.map(({ title }, index) => addButton(title, index, () => void play(index)))

  async function play(index: number): Promise<void> {
    const chapter = chapters[index]
    if (!chapter) return
    for (const [other, button] of buttons.entries()) button.ariaCurrent = other === index ? 'step' : null
    element('tour-title').textContent = chapter.title
    offer(index + 1)
    await tell(chapter)
  }

  /** Puts the next click on the large button; after the last chapter, the way to the shop. */
  function offer(index: number): void {
    const chapter = chapters[index]
    next.textContent = chapter ? `Next: ${lowerFirst(chapter.title)}` : 'Now play it yourself'
    next.onclick = () => {
      if (chapter) return void play(index)
      element('pay').scrollIntoView({ block: 'center' })
      element('pay').focus()
    }
  }

  void play(0)
}

function addButton(title: string, index: number, onClick: () => void): HTMLElement {
  const button = make('button', '', '')
  button.setAttribute('type', 'button')
  button.append(make('span', 'step', String(index + 1)), ' ', make('span', 'name', title))
  button.addEventListener('click', onClick)
  const item = make('li', '', '')
  item.append(button)
  element('tour-steps').append(item)
  return button
}

async function tell({ owed, steps }: Chapter): Promise<void> {
  const mine = ++telling
  for (const step of steps(openLane('without', owed), openLane('with', owed))) {
    if (mine !== telling) return
    await step()
    await pause()
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

/** Waits between two steps; not where less motion is wanted. */
function pause(): Promise<void> {
  const ms = matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : STEP_MS
  return new Promise((resolve) => setTimeout(resolve, ms))
}
