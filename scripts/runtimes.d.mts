export type RuntimeName = 'node22' | 'node24' | 'node26' | 'bun' | 'deno' | 'workerd'

export function runtime(
  name: RuntimeName,
): { readonly path: string; readonly version: string; readonly missing?: undefined } | { readonly missing: string }
