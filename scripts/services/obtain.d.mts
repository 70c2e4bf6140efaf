/** The command that runs a program that was found. */
export interface Program {
  readonly source: string
  readonly command: (tool: string, ...args: readonly string[]) => readonly string[]
}

/** Why something cannot be had here. */
export class NotAvailable extends Error {}

/** The program's path, or undefined. */
export function which(name: string): string | undefined

/** A program of the distribution: on the PATH, else a container, else (root on Debian) its package. Throws NotAvailable. */
export function distribution(
  name: string,
  options?: { readonly packages?: readonly string[]; readonly image?: string; readonly unprivileged?: boolean },
): () => Promise<Program>
