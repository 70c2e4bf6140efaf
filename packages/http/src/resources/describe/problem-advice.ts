/** What each problem tells a client to do. */
import type { ProblemType } from '../../protocol/problems.ts'

export const advice: Readonly<Record<ProblemType, string>> = {
  'key-missing':
    'The operation requires an `Idempotency-Key`. Send one: a value that is new for each request, such as a UUID.',
  'key-invalid': 'The key is empty, longer than 255 characters, sent twice, or not written as a key. Nothing was run.',
  'callback-refused': 'The callback is no https address of a host that was agreed upon. Nothing was run.',
  'body-invalid': 'The body is nested so deeply that two of its kind cannot be told apart. Nothing was run.',
  'unknown-operation': 'No operation of yours has this address, or its time is over.',
  'in-progress': 'The first request with this key is still running. Send it again: the answer will be there.',
  'lease-lost': 'This attempt fell silent, another took over, and its result is not there yet. Send it again.',
  conflict: 'The write lost against another one, and left nothing behind. Send it again.',
  'outcome-unknown':
    'An earlier attempt was interrupted, and whether it had an effect is not known. Somebody has to decide; sending it again does not help.',
  'not-replayable': 'The operation was done, but its answer was not kept. `original` has its status and `Location`.',
  'precondition-failed':
    'The resource has changed since the version that the request names. Read it again, and decide anew.',
  'body-too-large': 'The body is larger than what is read to tell one request from another. Nothing was run.',
  'body-unsupported':
    'A multipart body looks different each time it is sent, and this resource does not name the fields that count.',
  'key-reused': 'The key was used before for another request. Nothing changed. Send a new key with a new request.',
  'precondition-required':
    'The request has to say which version of the resource it changes: `If-Match` with its `ETag`.',
  failed: 'The operation failed for good under this key. Nothing is run again.',
  undecodable:
    'There is a record under this key, and it cannot be read. It is not run again; the operator has to look.',
  unavailable: 'The store cannot be reached. Nothing was lost: send the same request again, with the same key.',
  'not-running': 'The last attempt came to nothing. Send the request itself again, with the same key.',
  draining: 'This server is shutting down, and takes no new work. Send it again, with the same key.',
}
