/** Returns what bytes hold: JSON, else text where they are UTF-8, else Base64. */
export function readBytes(bytes: Uint8Array): unknown {
  const text = asText(bytes)
  if (text === undefined) return { base64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')) }
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function asText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
