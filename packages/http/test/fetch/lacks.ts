import type { BindingHarness } from '@retryproof/conformance/http'

/** The features that Fetch does not have, on any runtime. */
export const lacks = {
  routes: 'a Fetch handler does not know its route, so that operations are named',
  'answers by a call': 'the answer is what the handler returns',
  'headers of others': 'a handler makes a response of its own',
  'raw responses': 'the answer is what the handler returns',
  'errors with a status': 'an error that a handler throws is a 500',
  'repeated headers': 'Fetch joins them',
} satisfies BindingHarness['lacks']
