export { type InstrumentOptions, instrument } from './instrument.ts'
export { instrumentStore, type StoreInstrumentOptions } from './instrument-store.ts'
export { type EventLogger, logEvents } from './log-events.ts'
export { attributes, metrics, spanAttributes } from './names.ts'
