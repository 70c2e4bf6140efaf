/** The console as a Fetch handler: asks who it is, then answers with a page. */
import { IdempotencyInvalidOptionError } from '@retryproof/core'
import { Hono } from 'hono'
import { type ConsoleOptions, type ConsoleUser, type ReadOptions, readOptions } from './options.ts'
import type { PageContext } from './pages/page-context.ts'
import { observeActivity } from './records/activity.ts'
import { openNamespaces } from './records/namespaces.ts'
import { assetRoutes } from './routes/asset-routes.ts'
import { changeRoutes } from './routes/change-routes.tsx'
import type { ConsoleEnv } from './routes/console-env.ts'
import { eraseRoutes } from './routes/erase-routes.tsx'
import { answerError } from './routes/error-answers.tsx'
import { refusal } from './routes/refusal.ts'
import { showRoutes } from './routes/show-routes.tsx'
import { formToken } from './security/form-token.ts'
import { pageHeaders, randomText, withHeaders } from './security/page-headers.ts'

const NO_USER =
  'must return a user with a name, such as { name: "ada" }; null where nobody is signed in, false where this person may not, or a Response'

/** A Fetch handler that answers every request below its path. */
export type ConsoleHandler = (request: Request) => Promise<Response>

/**
 * Makes a page on which operators find, understand and repair records. Mount it at `basePath` in any application.
 *
 * @example
 * import { consoleHandler } from '@retryproof/console'
 * import { createIdempotency } from '@retryproof/core'
 * import { memoryStore } from '@retryproof/memory'
 *
 * declare function operatorOf(request: Request): Promise<{ name: string } | null>
 *
 * const idempotency = createIdempotency({ store: memoryStore(), namespace: 'shop' })
 * const handle = consoleHandler({
 *   idempotency,
 *   authorize: (request) => operatorOf(request),
 *   onAction: ({ action, user, key, outcome }) => console.log(user.name, action, key, outcome),
 * })
 *
 * @throws {@link IdempotencyInvalidOptionError} when `authorize` is missing, or an option cannot be used
 */
export function consoleHandler<User extends ConsoleUser>(options: ConsoleOptions<User>): ConsoleHandler {
  const read = readOptions(options)
  const app = createApp(read)
  return async (request) => {
    const nonce = randomText()
    const headers = pageHeaders(nonce)
    const user = await read.authorize(request)
    // it may be a page of its own, with scripts and styles
    if (isResponse(user)) return withHeaders(user, { 'cache-control': 'no-store' })
    if (!user) return withHeaders(refusal(user === false ? 403 : 401), headers)
    if (typeof user.name !== 'string' || user.name === '') throw new IdempotencyInvalidOptionError('authorize', NO_USER)
    if (!['GET', 'HEAD', 'POST'].includes(request.method)) return withHeaders(refusal(405), headers)
    const { token, setCookie } = await formToken(request, user.name, read.publicPath)
    const page: PageContext = {
      user: user.name,
      mayChange: !read.readOnly && user.readOnly !== true,
      nonce,
      formToken: token,
      now: new Date(),
      link: (path) => `${read.publicPath}${path}`,
    }
    const answer = await app.fetch(request, { page, user } satisfies ConsoleEnv<User>['Bindings'])
    return withHeaders(answer, setCookie === undefined ? headers : { ...headers, 'set-cookie': setCookie })
  }
}

function createApp<User extends ConsoleUser>(options: ReadOptions<User>): Hono<ConsoleEnv<User>> {
  const { instances, basePath } = options
  const namespaces = openNamespaces(instances)
  const activity = observeActivity(instances.values())
  const app = new Hono<ConsoleEnv<User>>({ strict: false })
  app.use(async ({ req }, next) => {
    await next()
    if (req.method === 'POST') namespaces.countAgain()
  })
  app.route(basePath || '/', assetRoutes())
  app.route(basePath || '/', showRoutes(namespaces, activity))
  app.route(basePath || '/', changeRoutes(namespaces, options))
  app.route(basePath || '/', eraseRoutes(namespaces, options))
  app.notFound((c) => answerError(c, 404))
  app.onError((error, c) => answerError(c, error))
  return app
}

/** Recognizes a response of any realm. */
function isResponse(value: unknown): value is Response {
  const { status, headers } = Object(value) as Partial<Response>
  return typeof status === 'number' && typeof headers?.get === 'function'
}
