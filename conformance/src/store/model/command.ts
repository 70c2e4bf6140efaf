import type { RecordView } from '@retryproof/core'
import type { BeginReply, BoundStore, Command, TransitionReply } from '@retryproof/core/store'

export type Reply = BeginReply | TransitionReply | RecordView | null

/** Calls the operation that a command stands for. */
export async function send(store: BoundStore, key: string, command: Command): Promise<Reply> {
  switch (command.op) {
    case 'begin':
      return store.begin(key, command.claim)
    case 'transition':
      return store.transition(key, command.token, command.change)
    case 'get':
      return store.get(key)
  }
}
