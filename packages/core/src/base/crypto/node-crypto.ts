/** `node:crypto` where there is one, reached without an import, so that the same file loads where there is none. */
interface Hash {
  update(bytes: Uint8Array): Hash
  digest(encoding: 'hex'): string
}

interface Cipher {
  setAAD(bytes: Uint8Array): unknown
  update(bytes: Uint8Array): Uint8Array
  final(): Uint8Array
}

/** The part of it that this package uses. */
export interface NodeCrypto {
  createHash(algorithm: string): Hash
  createSecretKey(key: Uint8Array): object
  createHmac(algorithm: string, key: object): Hash
  /** Faster for short inputs; not every runtime has it. */
  hash?(algorithm: string, bytes: Uint8Array, encoding: 'hex'): string
  createCipheriv(algorithm: string, key: Uint8Array, iv: Uint8Array): Cipher & { getAuthTag(): Uint8Array }
  createDecipheriv(
    algorithm: string,
    key: Uint8Array,
    iv: Uint8Array,
    options: { readonly authTagLength: number },
  ): Cipher & { setAuthTag(tag: Uint8Array): unknown }
}

export function nodeCrypto(): NodeCrypto | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): NodeCrypto | undefined } }
  return process?.getBuiltinModule?.('node:crypto')
}
