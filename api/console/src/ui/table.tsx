import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Pages } from '../api/hooks'
import { Link } from '../router'
import { Icon, type IconName } from './icon'
import { Reading, RetryButton } from './states'

export interface Column<T> {
  key: string
  title: string
  width?: string // of the grid, such as 120px or minmax(0, 2fr)
  wide?: boolean // left out on narrow screens
  end?: boolean // aligned to the end
  cell: (row: T) => ComponentChildren
}

interface TableProps<T> {
  label: string
  columns: Column<T>[]
  pages: Pages<T>
  rowKey: (row: T) => string
  empty: ComponentChildren
  rowHeight?: number
}

// Table shows a list of any length: only the rows in view are in the page, and the next page is read near the end. The first
// cell of a row is usually a RowLink.
export function Table<T>({ label, columns, pages, rowKey, empty, rowHeight = 49 }: TableProps<T>) {
  const body = useRef<HTMLDivElement>(null)
  const [range, setRange] = useState<[number, number]>([0, 40])
  const rows = pages.data ?? []

  useLayoutEffect(() => {
    const element = body.current
    if (!element) return
    const scroller = scrollerOf(element)
    const look = () => {
      const top = element.getBoundingClientRect().top - (scroller === document.documentElement ? 0 : scroller.getBoundingClientRect().top)
      const first = Math.max(0, Math.floor(-top / rowHeight) - 10)
      const last = Math.ceil((-top + scroller.clientHeight) / rowHeight) + 10
      setRange((r) => (r[0] === first && r[1] === last ? r : [first, last]))
    }
    look()
    const target: EventTarget = scroller === document.documentElement ? window : scroller
    const seen = new IntersectionObserver(look) // comes into view when what is above it goes, which no event tells
    seen.observe(element)
    target.addEventListener('scroll', look, { passive: true })
    addEventListener('resize', look)
    return () => {
      seen.disconnect()
      target.removeEventListener('scroll', look)
      removeEventListener('resize', look)
    }
  }, [rowHeight, rows.length > 0])

  const nearEnd = range[1] >= rows.length - 5
  useEffect(() => {
    if (nearEnd && pages.hasMore && !pages.failure) pages.more()
  }, [nearEnd, rows.length, pages.hasMore, pages.failure])

  if (!pages.data) return <Reading of={pages} lines={6} tall />
  if (!rows.length) return <>{empty}</>
  const [first, last] = [Math.min(range[0], rows.length), Math.min(range[1], rows.length)]
  const widths = columns.map((c) => c.width ?? 'minmax(0, 1fr)').join(' ')
  const narrow = columns.filter((c) => !c.wide).map((c) => c.width ?? 'minmax(0, 1fr)').join(' ')
  const cells = (c: Column<T>) => `cell${c.wide ? ' wide' : ''}${c.end ? ' end' : ''}`
  return (
    <div class="table" role="table" aria-label={label} aria-rowcount={pages.hasMore ? -1 : rows.length + 1} style={{ '--columns': widths, '--narrow': narrow, '--row': `${rowHeight}px` }}>
      <div role="rowgroup">
        <div class="row head" role="row" aria-rowindex={1}>
          {columns.map((c) => (
            <div key={c.key} role="columnheader" class={cells(c)}>
              {c.title}
            </div>
          ))}
        </div>
      </div>
      <div class="rows" role="rowgroup" ref={body} style={{ height: `${rows.length * rowHeight}px` }}>
        {rows.slice(first, last).map((row, i) => (
          <div class={!pages.hasMore && first + i === rows.length - 1 ? 'row last' : 'row'} role="row" key={rowKey(row)} aria-rowindex={first + i + 2} style={{ top: `${(first + i) * rowHeight}px` }}>
            {columns.map((c) => (
              <div key={c.key} role="cell" class={cells(c)}>
                {c.cell(row)}
              </div>
            ))}
          </div>
        ))}
      </div>
      {pages.hasMore && <div class="table-end">{pages.failure ? <RetryButton small failure={pages.failure} onRetry={pages.more} /> : <span class="spinner" aria-hidden="true" />}</div>}
    </div>
  )
}

function scrollerOf(element: HTMLElement): HTMLElement {
  for (let at = element.parentElement; at; at = at.parentElement) {
    if (/(auto|scroll)/.test(getComputedStyle(at).overflowY)) return at
  }
  return document.documentElement
}

interface RowLinkProps {
  to?: string // where the row leads to
  onClick?: () => void // or what opens a dialog
  icon?: IconName
  name: ComponentChildren
  mono?: boolean // the name is one of programs
  below?: ComponentChildren // a second line, for rows of 57 pixels
  children?: ComponentChildren // beside the name
}

// RowLink is the first cell of a row, with its icon and name. The whole row follows it.
export function RowLink({ to, onClick, icon, name, mono, below, children }: RowLinkProps) {
  const bold = (
    <b class={mono ? 'mono' : undefined} dir="auto">
      {name}
    </b>
  )
  const inside = (
    <>
      {icon && (
        <span class="tile" aria-hidden="true">
          <Icon name={icon} />
        </span>
      )}
      {below ? <span class="two">{bold}{below}</span> : bold}
      {children}
    </>
  )
  if (to !== undefined) return <Link class="row-link" to={to}>{inside}</Link>
  return (
    <button type="button" class="row-link" aria-haspopup="dialog" onClick={onClick}>
      {inside}
    </button>
  )
}
