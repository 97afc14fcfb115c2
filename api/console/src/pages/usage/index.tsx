import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { useQuery } from '../../api/hooks'
import { useBots } from '../../api/lists'
import { compact, dateTime, duration, language, money, number } from '../../i18n'
import { costTitle } from '../../i18n/cost'
import { PageLink } from '../../layout/links'
import { query, setQuery } from '../../router'
import { EmptyState, Filter, PageBody, PageHeader, Reading, Section, Segments } from '../../ui'
import { Chart } from './chart'
import { Limits } from './limits'
import { t } from './messages'
import './styles.css'

type Report = Schemas['TurnReport']

const ranges = { week: 7, month: 30, quarter: 90, year: 365 } as const
type Range = keyof typeof ranges
const tz = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'

// daysAgo returns a day of the person's calendar, as YYYY-MM-DD.
function daysAgo(days: number): string {
  const at = new Date()
  at.setDate(at.getDate() - days)
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')}`
}

const spanOf = (range: Range) => ({ from: daysAgo(ranges[range] - 1), to: daysAgo(-1), granularity: range === 'year' ? ('month' as const) : ('day' as const), tz })

export default function Usage() {
  const range: Range = Object.keys(ranges).includes(query('range') ?? '') ? (query('range') as Range) : 'month'
  const bot = query('bot') ?? ''
  const bots = useBots()
  const span = spanOf(range)
  const report = useQuery(`usage?${range}&${bot}`, (signal) => ok(api.GET('/v1/analytics/turns', { params: { query: { ...span, ...(bot && { bot_id: bot }) } }, signal })))
  const data = report.data
  return (
    <>
      <PageHeader title={t('title')} />
      <PageBody>
        <div class="toolbar">
          <Segments label={t('range')} value={range} options={(Object.keys(ranges) as Range[]).map((r) => ({ value: r, label: t(r) }))} onChange={(to) => setQuery({ range: to === 'month' ? null : to })} />
          {(bots.data?.length ?? 0) > 0 && <Filter label={t('bot')} value={bot} onChange={(to) => setQuery({ bot: to })} options={[{ value: '', label: t('allBots') }, ...bots.data!.map((b) => ({ value: b.id, label: b.name }))]} />}
        </div>
        {!data ? (
          <Reading of={report} lines={6} tall />
        ) : data.totals.turns === 0 ? (
          <div class="card">
            <EmptyState icon="chart" title={t('emptyTitle')}>
              {t('emptyText')}
            </EmptyState>
          </div>
        ) : (
          <Charts data={data} />
        )}
        {!bot && bots.data && data && data.totals.turns > 0 && <ByBot bots={bots.data} range={range} />}
        <Limits />
      </PageBody>
    </>
  )
}

const percent = (n: number) => new Intl.NumberFormat(language.value, { style: 'percent', maximumFractionDigits: 1 }).format(n)
const ms = (n: number | null) => (n === null ? '—' : duration(n))

function Charts({ data }: { data: Report }) {
  const [at, setAt] = useState<number | null>(null)
  const monthly = data.granularity === 'month'
  const day = (period: string, options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(language.value, { ...options, timeZone: 'UTC' }).format(new Date(`${period}T00:00:00Z`))
  const labels = data.items.map((i) => day(i.period, monthly ? { month: 'short' } : { day: 'numeric', month: 'short' }))
  const names = data.items.map((i) => day(i.period, monthly ? { month: 'long', year: 'numeric' } : { weekday: 'short', day: 'numeric', month: 'short' }))
  const of = (f: (i: Report['items'][number]) => number | null) => data.items.map(f)
  const shared = { labels, names, at, onAt: setAt }
  const sum = data.totals
  return (
    <>
      <dl class="totals">
        {[
          [t('turns'), number(sum.turns)],
          [t('tokens'), compact(sum.input_tokens + sum.output_tokens)],
          [costTitle(), money(sum.cost_micros)],
          [t('p50'), ms(sum.latency_ms.p50)],
          [t('p95'), ms(sum.latency_ms.p95)],
          [t('errors'), percent(sum.error_rate)],
        ].map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <div class="charts">
        <Chart {...shared} title={t('turns')} format={compact} series={[{ name: t('completed'), tone: 'a', values: of((i) => i.completed) }, { name: t('failed'), tone: 'bad', values: of((i) => i.failed) }]} />
        <Chart {...shared} title={t('tokens')} format={compact} series={[{ name: t('input'), tone: 'b', values: of((i) => i.input_tokens) }, { name: t('output'), tone: 'a', values: of((i) => i.output_tokens) }]} />
        <Chart {...shared} title={t('latency')} format={duration} lines series={[{ name: 'p50', tone: 'a', values: of((i) => i.latency_ms.p50) }, { name: 'p95', tone: 'b', values: of((i) => i.latency_ms.p95) }]} />
        <Chart {...shared} title={costTitle()} format={money} series={[{ name: t('cost'), tone: 'a', values: of((i) => i.cost_micros) }]} />
        <Chart {...shared} title={t('errors')} format={percent} none={t('noErrors')} lines series={[{ name: t('errors'), tone: 'bad', values: of((i) => (i.turns ? i.error_rate : null)) }]} />
      </div>
      <details class="numbers">
        <summary>{t('asTable')}</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label={t('asTable')}>
          <table class="grid-table">
            <thead>
              <tr>
                <th scope="col">{t('period')}</th>
                {[t('turns'), t('failed'), t('input'), t('output'), costTitle(), t('p50'), t('p95')].map((h) => (
                  <th scope="col" key={h}>
                    {h}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {data.items.map((i, n) => (
                <tr key={i.period}>
                  <th scope="row">{names[n]}</th>
                  <td>{number(i.turns)}</td>
                  <td>{number(i.failed)}</td>
                  <td>{number(i.input_tokens)}</td>
                  <td>{number(i.output_tokens)}</td>
                  <td>{money(i.cost_micros)}</td>
                  <td>{ms(i.latency_ms.p50)}</td>
                  <td>{ms(i.latency_ms.p95)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
      <p class="hint numbers">{t('asOf', { at: dateTime(data.as_of), tz })}</p>
    </>
  )
}

const compared = 12

function ByBot({ bots, range }: { bots: Schemas['BotSummary'][]; range: Range }) {
  const shown = bots.slice(0, compared)
  const report = useQuery(`usage bots?${range}&${shown.map((b) => b.id).join()}`, (signal) =>
    Promise.all(shown.map(async (b) => ({ bot: b, totals: (await ok(api.GET('/v1/analytics/turns', { params: { query: { ...spanOf(range), granularity: 'month', bot_id: b.id } }, signal }))).totals }))),
  )
  const rows = report.data?.filter((r) => r.totals.turns > 0).sort((a, b) => b.totals.turns - a.totals.turns)
  if (rows && !rows.length) return null
  return (
    <Section title={t('byBot')} hint={bots.length > compared ? t('byBotSome', { n: compared }) : undefined}>
      {!rows ? (
        <Reading of={report} lines={3} />
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label={t('byBot')}>
          <table class="grid-table">
            <thead>
              <tr>
                <th scope="col">{t('bot')}</th>
                {[t('turns'), t('tokens'), costTitle(), t('p50'), t('p95'), t('errors')].map((h) => (
                  <th scope="col" key={h}>
                    {h}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map(({ bot, totals }) => (
                <tr key={bot.id}>
                  <th scope="row" dir="auto">
                    <PageLink page="bots" to={`/bots/${bot.id}`}>{bot.name}</PageLink>
                  </th>
                  <td>{number(totals.turns)}</td>
                  <td>{compact(totals.input_tokens + totals.output_tokens)}</td>
                  <td>{money(totals.cost_micros)}</td>
                  <td>{ms(totals.latency_ms.p50)}</td>
                  <td>{ms(totals.latency_ms.p95)}</td>
                  <td>{percent(totals.error_rate)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  )
}
