// Rows of the log: entries, and runs of entries that say the same of the same actor, each in one row that opens.
import { useEffect, useState } from 'preact/hooks'
import type { Pages } from '../../api/hooks'
import type { Entry } from '.'

export interface Row {
  key: string
  entry: Entry // of a run the newest one
  run?: Entry[] // newest first
  inRun?: boolean // is shown as its run is open
}

// sameAs returns the same text for entries that a run has. A person has several sessions, each of which is refreshed: they are alike.
const sameAs = (e: Entry) => [e.action, e.user_id, e.api_key_id, e.resource_type, e.resource_type === 'session' ? '' : e.resource_id].join(' ')

// rowsOf makes rows of entries that follow each other. Runs whose key is among open are shown with their entries.
export function rowsOf(entries: Entry[], open: ReadonlySet<string>): Row[] {
  const rows: Row[] = []
  for (let from = 0; from < entries.length; ) {
    let to = from + 1
    while (to < entries.length && sameAs(entries[to]!) === sameAs(entries[from]!)) to++
    const run = entries.slice(from, to)
    const entry = run[0]!
    if (run.length === 1) rows.push({ key: entry.id, entry })
    else {
      const key = `run ${entry.id}`
      rows.push({ key, entry, run })
      if (open.has(key)) rows.push(...run.map((e) => ({ key: e.id, entry: e, inRun: true })))
    }
    from = to
  }
  return rows
}

const most = 1000 // entries that are read on without another row to show

// useRows gives a table rows that are made of entries. A page of entries may add no row, by which the table would know that there is more to ask for: then the next
// page is read at once. After many that stops, and resume goes on.
export function useRows(pages: Pages<Entry>, rows: Row[] | undefined): { shown: Pages<Row>; resume: (() => void) | null } {
  const entries = pages.data?.length ?? 0
  const count = rows?.length ?? 0
  const [since, setSince] = useState({ count, entries, read: entries })
  const stuck = count === since.count && entries - since.entries >= most
  useEffect(() => {
    if (count !== since.count || entries < since.read) setSince({ count, entries, read: entries })
    else if (entries > since.read) {
      setSince({ ...since, read: entries })
      if (pages.hasMore && !pages.failure && !stuck) pages.more()
    }
  }, [count, entries])
  return {
    shown: { ...pages, data: rows, hasMore: pages.hasMore && !stuck, set: () => {} },
    resume: stuck && pages.hasMore ? () => (setSince({ count, entries, read: entries }), pages.more()) : null,
  }
}
