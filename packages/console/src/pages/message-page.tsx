/** @jsxImportSource hono/jsx */
/** A page that says what went wrong, and where to go on. */
import { Layout } from './layout.tsx'
import type { PageContext } from './page-context.ts'

export interface Message {
  readonly title: string
  readonly text: string
  /** The link onwards: its words and its path. @default the overview */
  readonly onward?: readonly [words: string, path: string]
}

export const MessagePage = ({
  page,
  title,
  text,
  onward = ['Go to the overview', '/'],
}: Message & { page: PageContext }) => (
  <Layout page={page} title={title}>
    <section class="verdict warning">
      <h1>{title}</h1>
      <p>{text}</p>
      <a class="button" href={page.link(onward[1])}>
        {onward[0]}
      </a>
    </section>
  </Layout>
)
