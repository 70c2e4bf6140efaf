/** Checks a page: well-formed HTML without script or style of its own, under a strict policy, never cached. */
import { parse } from 'parse5'
import { expect } from 'vitest'
import type { Page } from './open-console.ts'

interface HtmlNode {
  readonly nodeName: string
  readonly tagName?: string
  readonly attrs?: readonly { readonly name: string; readonly value: string }[]
  readonly childNodes?: readonly HtmlNode[]
  readonly value?: string
}

export function expectSafe({ text, headers }: Pick<Page, 'text' | 'headers'>): void {
  const policy = headers.get('content-security-policy') ?? ''
  const [, nonce] = /script-src 'nonce-([0-9a-f]{32})'/.exec(policy) ?? []
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).not.toContain('unsafe')
  expect(headers.get('cache-control')).toBe('no-store')
  expect(headers.get('x-frame-options')).toBe('DENY')
  if (!headers.get('content-type')?.startsWith('text/html')) return
  const errors: string[] = []
  const document = parse(text, { onParseError: ({ code }) => errors.push(code) })
  // a page may hold the few characters that Unicode keeps for nobody
  expect(errors.filter((code) => code !== 'noncharacter-in-input-stream')).toEqual([])
  const elements = elementsOf(document as unknown as HtmlNode)
  for (const { tagName = '', attrs = [], childNodes = [] } of elements) {
    const attribute = (name: string) => attrs.find((each) => each.name === name)?.value
    expect(attrs.filter(({ name }) => /^on|^style$|^srcdoc$/.test(name))).toEqual([])
    if (tagName === 'script') expect([attribute('nonce'), childNodes.length]).toEqual([nonce, 0])
    expect(['style', 'iframe', 'object', 'embed', 'base']).not.toContain(tagName)
    for (const name of ['href', 'src', 'action']) expect(attribute(name) ?? '/').toMatch(/^(\/idempotency|#|\/$)/)
  }
  expect(
    textsOf(document as unknown as HtmlNode)
      .join('')
      .match(/[\p{Cc}\p{Cf}]/gu)
      ?.filter((one) => one !== '\n') ?? [],
  ).toEqual([])
}

/** The texts of a page and of its attributes. A field shows what was typed: it keeps its direction to itself. */
function textsOf({ tagName, attrs = [], childNodes = [], value = '' }: HtmlNode): readonly string[] {
  const attributes = attrs.filter(({ name }) => name !== 'value').map((each) => each.value)
  return [value, ...attributes, ...(tagName === 'textarea' ? [] : childNodes.flatMap(textsOf))]
}

function elementsOf(node: HtmlNode): readonly HtmlNode[] {
  const below = (node.childNodes ?? []).flatMap(elementsOf)
  return node.tagName === undefined ? below : [node, ...below]
}
