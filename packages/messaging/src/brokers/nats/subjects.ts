import type { NatsConsumer, NatsJetStream } from './client.ts'

/** Tells whether a consumer reads a subject. */
export async function readsSubject(
  { stream_name, config }: Awaited<ReturnType<NatsConsumer['info']>>,
  jetstream: NatsJetStream,
  subject: string,
): Promise<boolean> {
  const { filter_subject, filter_subjects = filter_subject ? [filter_subject] : [] } = config
  const read = filter_subjects.length > 0 ? filter_subjects : await subjectsOf(jetstream, stream_name)
  return read.some((filter) => covers(filter, subject))
}

/** Asks the server. A client that may not know the stream finds out when the first dead letter comes back. */
async function subjectsOf(jetstream: NatsJetStream, stream: string): Promise<readonly string[]> {
  try {
    const manager = await jetstream.jetstreamManager()
    return (await manager.streams.info(stream)).config.subjects ?? []
  } catch {
    return []
  }
}

/** Tells whether a filter of NATS covers a subject: `*` is one word, `>` is all that follow. */
export function covers(filter: string, subject: string): boolean {
  const [words, wanted] = [subject.split('.'), filter.split('.')]
  for (const [i, word] of wanted.entries()) {
    if (word === '>') return words.length > i
    if (word !== '*' && word !== words[i]) return false
  }
  return words.length === wanted.length
}
