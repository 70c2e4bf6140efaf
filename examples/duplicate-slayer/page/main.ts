/** Puts the page together: what the server tells, and what the reader presses. */
import { listenToConditions, showSettings } from './conditions.ts'
import { connect } from './connection.ts'
import { element, say } from './dom.ts'
import { showFlight } from './flights.ts'
import { shownOrder } from './orders.ts'
import { clearRows, showFigures, showRows } from './records.ts'
import { showScore } from './score.ts'
import { tellStory } from './story.ts'
import { listenToTricks } from './tricks.ts'

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
