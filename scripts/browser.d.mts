export const flags: readonly string[]

export function browser(): Promise<
  { readonly path: string; readonly missing?: undefined } | { readonly path?: undefined; readonly missing: string }
>
