/** @jsxImportSource hono/jsx */
/** The frame of every page. */
import { neutralize } from '@retryproof/http/internal'
import type { Child } from 'hono/jsx'
import type { PageContext } from './page-context.ts'
import { Foreign } from './parts.tsx'

export interface LayoutProps {
  readonly page: PageContext
  readonly title: string
  /** The page that is current in the navigation. */
  readonly current?: 'overview' | 'records' | 'erase'
  /** Seconds between two readings of a page that keeps itself up to date. */
  readonly live?: number | undefined
  readonly children: Child
}

export const Layout = ({ page, title, current, live, children }: LayoutProps) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>{neutralize(title)} · Retryproof</title>
      <link rel="icon" href={page.link('/assets/icon.svg')} />
      <link rel="stylesheet" href={page.link('/assets/style.css')} nonce={page.nonce} />
      {live !== undefined && <script src={page.link('/assets/live.js')} nonce={page.nonce} type="module"></script>}
    </head>
    <body>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <header>
        <a class="brand" href={page.link('/')}>
          <img src={page.link('/assets/icon.svg')} alt="" width="24" height="24" />
          Retryproof
        </a>
        <nav aria-label="Console">
          <Tab page={page} to="/" name="Overview" isCurrent={current === 'overview'} />
          <Tab page={page} to="/records" name="Records" isCurrent={current === 'records'} />
          {page.mayChange && <Tab page={page} to="/erase" name="Erase" isCurrent={current === 'erase'} />}
        </nav>
        <p class="user">
          <span class="quiet">Signed in as</span> <Foreign text={page.user} />
          {!page.mayChange && <span class="badge">read-only</span>}
        </p>
      </header>
      <main id="content" tabindex={-1} data-live-s={live}>
        {children}
      </main>
      <footer>
        {live !== undefined && (
          <p class="live" hidden>
            <button type="button" data-live-pause aria-pressed="false">
              Pause updates
            </button>
            <span data-live-status></span>
          </p>
        )}
        <p class="quiet">
          Read at <time>{page.now.toISOString().slice(0, 19).replace('T', ' ')} UTC</time>. Rates and replays are
          counted in this process; records are the store’s.
        </p>
      </footer>
    </body>
  </html>
)

interface TabProps {
  readonly page: PageContext
  readonly to: string
  readonly name: string
  readonly isCurrent: boolean
}

const Tab = ({ page, to, name, isCurrent }: TabProps) => (
  <a href={page.link(to)} aria-current={isCurrent ? 'page' : undefined}>
    {name}
  </a>
)
