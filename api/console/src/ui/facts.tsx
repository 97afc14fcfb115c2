import { Fragment, type ComponentChildren } from 'preact'
import { ago, dateTime } from '../i18n'
import { CopyButton } from './button'
import { t } from './messages'

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

// Id is an id, or another text of programs, with a button that copies it.
export const Id = ({ id, label }: { id: string; label: string }) => (
  <>
    <code>{id}</code> <CopyButton text={id} label={label} />
  </>
)

// When is how long ago something was.
export const When = ({ at }: { at: string }) => (
  <time dateTime={at} title={dateTime(at)}>
    {ago(at)}
  </time>
)

// At is a date and a time.
export const At = ({ at }: { at: string }) => <time dateTime={at}>{dateTime(at)}</time>

// Secret shows what is shown only once.
export function Secret({ text, label }: { text: string; label: string }) {
  return (
    <div class="secret" role="group" aria-label={label}>
      <code dir="ltr">{text}</code>
      <CopyButton text={text}>{t('copy')}</CopyButton>
    </div>
  )
}
