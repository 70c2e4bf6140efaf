/** Status codes of answers. */

/** Tells whether a value is the status of an answer that can be recorded. */
export function isRecordableStatus(status: unknown): status is number {
  return Number.isInteger(status) && (status as number) >= 200 && (status as number) <= 599
}

const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/** Tells whether a response of this status has no body, not even an empty one. */
export function forbidsBody(status: number): boolean {
  return WITHOUT_BODY.has(status)
}
