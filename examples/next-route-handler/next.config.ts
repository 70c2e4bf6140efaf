import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NextConfig } from 'next'

const here = dirname(fileURLToPath(import.meta.url))

const config: NextConfig = {
  // inside this repository the packages are TypeScript, which an application that installs them has no need to know
  transpilePackages: ['@retryproof/console', '@retryproof/core', '@retryproof/http', '@retryproof/memory'],
  turbopack: { root: dirname(dirname(here)) },
  typescript: { ignoreBuildErrors: true },
}

export default config
