/** Tells whether this is React Native, which has neither a storage that outlives the app nor Web Crypto by itself. */
export function isReactNative(): boolean {
  return globalThis.navigator?.product === 'ReactNative'
}
