/** The switch, the sliders and the store: they are the same in all tabs of a visitor. */
import type { Controls, LiveEvents, Settings } from '../../src/board/live.ts'
import { element, make, say } from '../dom.ts'

const sliders = { lostResponses: 'lost-responses', lostRequests: 'lost-requests' } as const

export function listenToConditions({ change }: Controls): void {
  const idempotency = element('idempotency')
  idempotency.addEventListener('click', () => void attempt({ idempotency: idempotency.ariaChecked !== 'true' }))
  for (const [name, id] of Object.entries(sliders)) {
    const slider = element<HTMLInputElement>(id)
    slider.addEventListener('input', () => showShare(id, Number(slider.value)))
    slider.addEventListener('change', () => void attempt({ [name]: Number(slider.value) / 100 }))
  }
  const store = element<HTMLSelectElement>('store')
  store.addEventListener('change', async () => {
    const title = store.selectedOptions[0]?.textContent ?? store.value
    say(`Going on with ${title}…`)
    store.disabled = true
    if (await attempt({ store: store.value as Settings['store'] })) say(`Records are in ${title} now.`)
    store.disabled = false
  })

  async function attempt(changes: Partial<Settings>): Promise<boolean> {
    try {
      await change(changes)
      return true
    } catch (error) {
      say(String(error))
      return false
    }
  }
}

export function showSettings(settings: LiveEvents['settings']): void {
  const { idempotency, store, stores, worker } = settings
  document.documentElement.dataset.idempotency = idempotency ? 'on' : 'off'
  element('idempotency').ariaChecked = String(idempotency)
  element('mode').textContent = idempotency ? 'on' : 'off'
  element('worker').textContent = `#${worker}`
  for (const [name, id] of Object.entries(sliders)) {
    const percent = Math.round(settings[name as keyof typeof sliders] * 100)
    element<HTMLInputElement>(id).value = String(percent)
    showShare(id, percent)
  }
  element('store').replaceChildren(
    ...stores.map(({ name, title, missing }) => {
      const option = make('option', '', missing ? `${title} (${missing})` : title) as HTMLOptionElement
      return Object.assign(option, { value: name, disabled: missing !== undefined, selected: name === store })
    }),
  )
}

function showShare(id: string, percent: number): void {
  element(`${id}-shown`).textContent = `${percent}%`
}
