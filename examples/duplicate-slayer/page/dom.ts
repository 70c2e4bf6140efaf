/** The page's elements by their id; a missing one is a mistake in the page. */
export function element<Type extends HTMLElement = HTMLElement>(id: string): Type {
  const found = document.getElementById(id)
  if (!found) throw new Error(`The page has no #${id}.`)
  return found as Type
}

/** A new element with a text in it. */
export function make(tag: string, className: string, text: string): HTMLElement {
  return Object.assign(document.createElement(tag), { className, textContent: text })
}

/** Says what happened, where everybody sees it and screen readers read it. */
export function say(text: string): void {
  show(text)
  announce(text)
}

/** Shows how far something is: too often for a voice. */
export function show(text: string): void {
  element('said').textContent = text
}

/** Tells screen readers. */
export function announce(text: string): void {
  element('announcement').textContent = text
}
