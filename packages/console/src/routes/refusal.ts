/** Answers without a page, to those who may not see one. */
const REASONS: Readonly<Record<401 | 403 | 405, string>> = {
  401: 'Sign in first.',
  403: 'You may not see this page.',
  405: 'This page takes GET and POST.',
}

export function refusal(status: keyof typeof REASONS): Response {
  return new Response(`${REASONS[status]}\n`, {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', ...(status === 405 && { allow: 'GET, HEAD, POST' }) },
  })
}
