import { api, ok, type Schemas } from '../../api/client'
import { useQuery } from '../../api/hooks'
import { bytes, date, money, number } from '../../i18n'
import { costTitle } from '../../i18n/cost'
import { Reading, Section } from '../../ui'
import { t } from './messages'

type Metric = Schemas['MetricUsage']

function show(metric: Metric['metric'], n: number) {
  if (metric === 'cost_micros') return money(n)
  return metric.endsWith('_bytes') ? bytes(n) : number(n)
}

// Limits shows what the workspace may use, and how much of that is left. What has no limit and was not used is left out.
export function Limits() {
  const usage = useQuery('usage limits', (signal) => ok(api.GET('/v1/usage', { signal })))
  const metrics = usage.data?.metrics
  const limited = metrics?.filter((m) => m.limit !== null) ?? []
  const others = metrics?.filter((m) => m.limit === null && m.used > 0) ?? []
  return (
    <Section title={t('limits')} hint={metrics && !limited.length ? t('noLimits') : t('limitsHint')}>
      {!metrics ? (
        <Reading of={usage} lines={3} />
      ) : (
        <ul class="limits">
          {[...limited, ...others].map((m) => (
            <Limit key={m.metric} metric={m} />
          ))}
        </ul>
      )}
    </Section>
  )
}

function Limit({ metric: m }: { metric: Metric }) {
  const name = m.metric === 'cost_micros' ? costTitle() : t(m.metric)
  if (m.limit === null) {
    return (
      <li class="card limit">
        <div class="names">
          <span>{name}</span>
          <b>{show(m.metric, m.used)}</b>
        </div>
        <small>{m.resets_at ? t('thisMonth') : t('now')} · {t('unlimited')}</small>
      </li>
    )
  }
  const part = m.limit ? m.used / m.limit : 1
  const left = m.remaining ?? Math.max(0, m.limit - m.used)
  return (
    <li class="card limit">
      <div class="names">
        <span>{name}</span>
        <span>
          <b>{show(m.metric, m.used)}</b> / {show(m.metric, m.limit)}
        </span>
      </div>
      <div class={`meter ${part >= 1 ? 'bad' : part >= 0.8 ? 'warn' : ''}`} role="meter" aria-label={name} aria-valuemin={0} aria-valuemax={m.limit} aria-valuenow={Math.min(m.used, m.limit)} aria-valuetext={t('left', { left: show(m.metric, left) })}>
        {m.used > 0 && <i style={{ width: `${Math.min(100, part * 100)}%` }} />}
      </div>
      <small>
        {left > 0 ? t('left', { left: show(m.metric, left) }) : t('usedUp')}
        {m.resets_at && ` · ${t('resets', { date: date(m.resets_at) })}`}
      </small>
    </li>
  )
}
