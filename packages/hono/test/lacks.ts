import type { BindingHarness } from '@retryproof/conformance/http'

/** The features that Hono does not have, on any runtime. */
export const lacks = {
  'raw responses': 'the answer is what the handler returns',
  'answers by a call': 'the answer is what the handler returns',
} satisfies BindingHarness['lacks']
