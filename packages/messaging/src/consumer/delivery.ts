/** A message in the hands of a consumer: a binding's view of what its broker delivers. */
export interface Delivery<Message> {
  readonly message: Message
  /** Reads the body. A throw makes the message unreadable. */
  body(): Uint8Array
  /** The name that the broker or the publisher gave it; undefined where it has none. */
  readonly messageId: string | undefined
  /** Counts its deliveries, this one included; undefined where the broker does not say. */
  readonly deliveries: number | undefined
  /** Says that the broker will not deliver it again. */
  readonly isLastDelivery?: boolean
  /** Reads one of our headers; undefined where it is absent or no text. Never throws. */
  header(name: string): string | undefined
  /** Keeps the broker from giving it to another consumer, each `everyMs`, while this one works on it. */
  readonly extend?: { readonly everyMs: number; act(): unknown }
  /** Tells the broker that it is done. */
  ack(): unknown
  /** Tells the broker to deliver it again after the delay. Absent where a binding keeps it until then. */
  redeliver?(delayMs: number): unknown
  /** Leads to the original in headers of a dead letter: topic, partition and offset, for instance. */
  readonly origin: Readonly<Record<string, string>>
  /** Publishes a dead letter. Resolves when the broker has confirmed it. */
  publish(letter: LetterParts): Promise<unknown>
  /** Tells a refusal that will not pass (too large, not encodable) from one that may. */
  isRefusal(error: unknown): boolean
}

/** The parts of a dead letter. */
export interface LetterParts {
  /** Headers of ours, one line of ASCII each. */
  readonly headers: Readonly<Record<string, string>>
  /** Says whether the headers and properties of the message go along. */
  readonly withHeaders: boolean
  /** Says whether its body goes along. */
  readonly withBody: boolean
}
