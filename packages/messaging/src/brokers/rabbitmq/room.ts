/** Room for messages that wait for their delay: each stays unacknowledged, and counts against the prefetch of its consumer. */
import type { RabbitChannel, RabbitMessage } from './client.ts'

export interface Room {
  /** Begins to take messages. */
  open(): Promise<void>
  /** Waits with a message in hand, which makes room for others meanwhile. */
  wait(waiting: Promise<void>): Promise<void>
  /** Takes no more messages. */
  close(): Promise<void>
}

/** Bounds the messages in hand: `concurrency` for each consumer, and as many again. */
const MAX_CONSUMERS = 10

/**
 * Takes messages of a queue, twice `concurrency` at first. A prefetch cannot be changed, so that while more messages than
 * `concurrency` wait, the channel has more consumers of the queue; when none waits, they are cancelled again.
 */
export function createRoom(
  channel: RabbitChannel,
  queue: string,
  {
    concurrency,
    onMessage,
    ended,
    failed,
  }: {
    readonly concurrency: number
    readonly onMessage: (message: RabbitMessage | null) => void
    /** Aborts when the channel closed, or no more messages are to be taken. */
    readonly ended: AbortSignal
    readonly failed: (error: unknown) => void
  },
): Room {
  const tags: string[] = []
  let waiting = 0
  let isClosed = false
  let isAdjusting = false

  async function add(prefetch: number): Promise<void> {
    await channel.prefetch(prefetch)
    tags.push((await channel.consume(queue, onMessage)).consumerTag)
  }

  async function cancelBut(left: number): Promise<void> {
    for (const tag of tags.splice(left)) await channel.cancel(tag)
  }

  const isShort = () => tags.length < Math.min(MAX_CONSUMERS, Math.ceil(waiting / concurrency))

  async function adjust(): Promise<void> {
    if (isAdjusting || ended.aborted) return
    isAdjusting = true
    try {
      while (!ended.aborted && isShort()) await add(concurrency)
      if (waiting === 0) await cancelBut(1)
      // a consumer that was added while the room closed
      if (isClosed) await cancelBut(0)
    } catch (error) {
      // the end of the channel is told otherwise
      if (!ended.aborted) failed(error)
    } finally {
      isAdjusting = false
    }
  }

  return {
    open: () => add(2 * concurrency),
    async wait(delay) {
      waiting++
      void adjust()
      await delay
      waiting--
      void adjust()
    },
    async close() {
      isClosed = true
      await cancelBut(0)
    },
  }
}
