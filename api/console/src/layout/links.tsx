import type { ComponentChildren } from 'preact'
import type { Schemas } from '../api/client'
import { pages, type Page } from '../pages'
import { Link } from '../router'
import { visible } from './shell'

// PageLink is a link to a page of the console, or its text alone where the person has no such page.
export function PageLink({ page, to, children }: { page: Page['id']; to: string; children: ComponentChildren }) {
  const found = pages.find((p) => p.id === page)
  return found && visible(found) ? <Link to={to}>{children}</Link> : <>{children}</>
}

// citedPath is where a citation of a turn is shown. A citation does not name its base: the page finds it in the searches of the turn.
export const citedPath = (thread: string, turn: string | null, c: Pick<Schemas['Citation'], 'document_id' | 'start' | 'end'>) =>
  `/knowledge/-/${c.document_id}?thread=${thread}&turn=${turn ?? ''}&start=${c.start}&end=${c.end}`
