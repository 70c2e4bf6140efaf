export function assetsModule(): string
