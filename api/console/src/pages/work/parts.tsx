// Parts that the pages of work, usage, audit, people and settings share.
import { Fragment, type ComponentChildren } from 'preact'
import { ago, dateTime } from '../../i18n'
import { Link } from '../../router'
import { visible } from '../../layout/shell'
import { CopyButton, Select, type Option } from '../../ui'
import { pages, type Page } from '..'
import './parts.css'

// Facts are names with values; those without a value are left out.
export function Facts({ facts }: { facts: ([string, ComponentChildren] | false | null | undefined)[] }) {
  return (
    <dl class="fact-list">
      {facts.map((fact) => fact && fact[1] !== null && fact[1] !== undefined && fact[1] !== '' && (
        <Fragment key={fact[0]}>
          <dt>{fact[0]}</dt>
          <dd>{fact[1]}</dd>
        </Fragment>
      ))}
    </dl>
  )
}

export const Id = ({ id, label }: { id: string; label: string }) => (
  <>
    <code>{id}</code> <CopyButton text={id} label={label} />
  </>
)

export const When = ({ at }: { at: string }) => (
  <time dateTime={at} title={dateTime(at)}>
    {ago(at)}
  </time>
)

export const At = ({ at }: { at: string }) => <time dateTime={at}>{dateTime(at)}</time>

// Segments choose one of a few views of a list.
export function Segments({ label, value, options, onChange }: { label: string; value: string; options: Option[]; onChange: (to: string) => void }) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map((o) => (
        <button key={o.value} type="button" aria-pressed={o.value === value} onClick={() => onChange(o.value)}>
          {o.label}
        </button>
      ))}
    </div>
  )
}

// Filter is a choice in a toolbar.
export function Filter(props: { label: string; value: string; options: Option[]; onChange: (to: string) => void }) {
  return (
    <div class="picker">
      <Select {...props} />
    </div>
  )
}

// PageLink is a link to a page of the console, or its text alone where the person has no such page.
export function PageLink({ page, to, children }: { page: Page['id']; to: string; children: ComponentChildren }) {
  const found = pages.find((p) => p.id === page)
  return found && visible(found) ? <Link to={to}>{children}</Link> : <>{children}</>
}

export const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2))
