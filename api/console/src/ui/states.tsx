import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Failure } from '../api/errors'
import { Button, CopyButton, LinkButton } from './button'
import { messageOf } from './errors'
import { Icon, type IconName } from './icon'
import { t } from './messages'

export function EmptyState({ icon, title, children, action }: { icon: IconName; title: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class="empty">
      <div class="empty-icon">
        <Icon name={icon} size={22} />
      </div>
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {action && <div class="actions">{action}</div>}
    </div>
  )
}

// useWait counts down the seconds that a failure says to wait.
export function useWait(failure: Failure | null): number {
  const [left, setLeft] = useState(0)
  useEffect(() => {
    const until = Date.now() + (failure?.retryAfter ?? 0) * 1000
    const tick = () => setLeft(Math.max(0, Math.ceil((until - Date.now()) / 1000)))
    tick()
    const timer = setInterval(tick, 500)
    return () => clearInterval(timer)
  }, [failure])
  return failure?.retryAfter ? left : 0
}

export function RetryButton({ failure, onRetry, small, kind }: { failure: Failure; onRetry: () => void; small?: boolean; kind?: 'plain' | 'quiet' }) {
  const left = useWait(failure)
  return (
    <Button small={small ?? false} kind={kind ?? 'plain'} icon="retry" disabled={left > 0} onClick={onRetry}>
      {left > 0 ? t('retryIn', { n: left }) : t('retry')}
    </Button>
  )
}

// Trace shows the trace id of a failure, for whoever is asked for help.
function Trace({ failure }: { failure: Failure }) {
  if (!failure.traceId) return null
  return (
    <span class="trace">
      {t('traceId')} <code>{failure.traceId}</code>
      <CopyButton text={failure.traceId} label={t('copyTrace')} />
    </span>
  )
}

// ErrorState takes the place of what could not be read.
export function ErrorState({ failure, onRetry }: { failure: Failure; onRetry?: () => void }) {
  if (failure.code === 'SECOND_FACTOR_MISSING' && failure.status === 403) {
    return (
      <EmptyState icon="shield" title={t('factorNeeded')} action={<LinkButton kind="primary" icon="shield" to="/settings/account">{t('setFactor')}</LinkButton>}>
        {messageOf(failure)}
      </EmptyState>
    )
  }
  return (
    <div class="empty bad" role="alert">
      <div class="empty-icon">
        <Icon name="alert" size={22} />
      </div>
      <h2>{t('failed')}</h2>
      <p>{messageOf(failure)}</p>
      <div class="actions">
        {onRetry && <RetryButton failure={failure} onRetry={onRetry} />}
      </div>
      <Trace failure={failure} />
    </div>
  )
}

interface ReadingProps {
  of: { failure: Failure | null; reload: () => void }
  gone?: ComponentChildren // in place of what is not there
  lines?: number // as of Skeleton
  tall?: boolean
}

// Reading takes the place of what is not read yet: lines that stand for it, or why it could not be read.
export function Reading({ of: { failure, reload }, gone, ...lines }: ReadingProps) {
  if (!failure) return <Skeleton {...lines} />
  if (gone && (failure.status === 404 || failure.status === 422)) return <>{gone}</>
  return <ErrorState failure={failure} onRetry={reload} />
}

// FormError says above a form why it was not accepted. Errors of single fields stand at the fields.
export function FormError({ failure, onRetry }: { failure: Failure | null; onRetry?: (() => void) | undefined }) {
  if (!failure) return null
  return (
    <div class="notice bad" role="alert">
      <Icon name="alert" />
      <div class="notice-body">
        <p>{messageOf(failure)}</p>
        {(failure.status >= 500 || failure.status <= 0) && <Trace failure={failure} />}
        {failure.passing && onRetry && <RetryButton small failure={failure} onRetry={onRetry} />}
      </div>
    </div>
  )
}

export function Notice({ tone = 'plain', icon, children, action }: { tone?: 'plain' | 'warn' | 'bad' | 'good'; icon?: IconName; children: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class={`notice ${tone}`}>
      {icon && <Icon name={icon} />}
      <div class="notice-body">{children}</div>
      {action}
    </div>
  )
}

// Skeleton stands for lines that are being read.
export function Skeleton({ lines = 3, tall }: { lines?: number; tall?: boolean }) {
  return (
    <div class={`skeleton${tall ? ' tall' : ''}`} role="status">
      <span class="visually-hidden">{t('loading')}</span>
      {Array.from({ length: lines }, (_, i) => (
        <i key={i} style={{ width: `${[92, 76, 84, 60, 88][i % 5]}%` }} />
      ))}
    </div>
  )
}

export type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'accent'
export function Badge({ tone = 'plain', children, dot }: { tone?: Tone; children: ComponentChildren; dot?: boolean }) {
  return (
    <span class={`badge ${tone}`}>
      {dot && <i aria-hidden="true" />}
      {children}
    </span>
  )
}
