/** Runs the suite of bindings over HTTP/2, on the memory store. */
import type { IdempotencyStore } from '@retryproof/core'
import { memoryStore } from '@retryproof/memory'
import { type BindingHarness, type BindingServer, bindingChecks, describeBinding } from '../src/http.ts'

export type Http2Protocol = 'h2c' | 'h2' | 'https'

export interface BindingOverHttp2 extends Pick<BindingHarness, 'lacks' | 'authenticates'> {
  /** Serves the application over that protocol. A server of `h2` and of `https` is the same: it takes both clients. */
  start(store: IdempotencyStore<unknown>, protocol: Http2Protocol): Promise<BindingServer>
}

const titles: Record<Http2Protocol, string> = {
  h2c: 'HTTP/2',
  h2: 'HTTP/2 and TLS',
  https: 'HTTP/1.1 and TLS, on a server of HTTP/2',
}

/** TLS changes little that a binding sees: a part of the checks will do. */
const sample = bindingChecks.filter((_, index) => index % 4 === 0)

export function describeOverHttp2(name: string, { start, lacks, authenticates = false }: BindingOverHttp2): void {
  for (const [protocol, title] of Object.entries(titles) as [Http2Protocol, string][]) {
    const harness: BindingHarness = {
      lacks: {
        transactions: 'the memory store has none',
        memory: 'measured over HTTP/1.1',
        closing: 'a server of HTTP/2 has no idle connections to close',
        'the wire of HTTP/1.1': 'nothing is written by hand over HTTP/2 and TLS',
        ...lacks,
      },
      authenticates,
      start: () => start(memoryStore(), protocol),
    }
    describeBinding(`memory ${name} over ${title}`, harness, protocol === 'h2c' ? bindingChecks : sample)
  }
}
