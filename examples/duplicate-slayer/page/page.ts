/** Puts the page together: what the backend tells, and what the reader presses. */
import type { Backend } from './backends/backend.ts'
import { element, say } from './dom.ts'
import { shownOrder } from './payments/orders.ts'
import { listenToTricks } from './payments/tricks.ts'
import { listenToConditions, showSettings } from './shown/conditions.ts'
import { showFlight } from './shown/flights.ts'
import { clearRows, showFigures, showRows } from './shown/records.ts'
import { showScore } from './shown/score.ts'
import { startTour } from './tour/tour.ts'

export function showPage(backend: Backend): void {
  document.documentElement.dataset.backend = backend.outlivesPage ? 'served' : 'alone'
  startTour()
  showOrder()
  listenToConditions(backend)
  backend.connect({
    settings: showSettings,
    score: showScore,
    rows: showRows,
    figures: showFigures,
    flight: showFlight,
    news: ({ text }) => say(text),
    cleared: clearRows,
  })
  listenToTricks(backend, showOrder)
}

function showOrder(): void {
  element('order').textContent = shownOrder().id
}
