/** Puts the page together: what the server tells, and what the reader presses. */

import { connect } from './connection.ts'
import { element, say } from './dom.ts'
import { shownOrder } from './payments/orders.ts'
import { listenToTricks } from './payments/tricks.ts'
import { listenToConditions, showSettings } from './shown/conditions.ts'
import { showFlight } from './shown/flights.ts'
import { clearRows, showFigures, showRows } from './shown/records.ts'
import { showScore } from './shown/score.ts'
import { tellStory } from './tour/story.ts'

function showOrder(): void {
  element('order').textContent = shownOrder().id
}

tellStory()
showOrder()
listenToConditions()
connect({
  settings: showSettings,
  score: showScore,
  rows: showRows,
  figures: showFigures,
  flight: showFlight,
  news: ({ text }) => say(text),
  cleared: clearRows,
})
listenToTricks(showOrder)
