import { reactRouter } from '@react-router/dev/vite'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [reactRouter()],
  // inside this repository the packages are TypeScript, which an application that installs them has no need to know
  ssr: { noExternal: [/^@retryproof\//] },
  logLevel: 'warn',
})
