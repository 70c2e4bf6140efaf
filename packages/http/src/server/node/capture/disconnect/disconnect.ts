/** The disconnect of a client, which is hidden from a handler, and those who are told of it. */

export interface HiddenDisconnect {
  /** True once the client is not there any more. */
  readonly isGone: boolean
  /** Shows the disconnect, and hides nothing more. */
  reveal(): void
}

export interface Disconnect {
  /** Returns true while the answer has not ended. */
  isWriting(): boolean
  /** Returns true while a complete answer waits for its record: to destroy the response comes too late. */
  isHeld(): boolean
  /** Node has sent the answer to its end, past the methods that the handler was given. */
  onSent(): void
  /** The client went away. */
  onGone(): void
  /** The client went away, and with it the source that was piped into the response. */
  onAbandoned(): void
  /** The handler destroyed the response. */
  onDestroyed(error: Error | undefined): void
  /** The server closed the connection, by a time-out or `closeAllConnections`, and the handler has said nothing. */
  onCut(): void
}
