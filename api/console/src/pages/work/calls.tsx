import { useEffect } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { usePages } from '../../api/hooks'
import { useBots } from '../../api/lists'
import { navigate, query, setQuery } from '../../router'
import { Badge, EmptyState, RowLink, Segments, Table, When, type Column } from '../../ui'
import { CallPanel } from './call'
import { t } from './messages'

export type Call = Schemas['ToolCall']

const tones: Record<Call['status'], 'plain' | 'good' | 'warn' | 'bad' | 'accent'> = {
  waiting: 'warn', approved: 'accent', running: 'accent', succeeded: 'good', failed: 'bad', unknown: 'bad', denied: 'plain', expired: 'plain', cancelled: 'plain',
}

export const CallStatus = ({ status }: { status: Call['status'] }) => (
  <Badge tone={tones[status]} dot>
    {t(status)}
  </Badge>
)

// Calls lists calls of tools: those that wait for a decision first, which are read anew every few seconds.
export function Calls({ open }: { open: string | undefined }) {
  const view = query('view') === 'all' || query('view') === 'unknown' ? query('view')! : 'waiting'
  const status = view === 'all' ? {} : { status: view as Call['status'] }
  const pages = usePages(`tool-calls?${view}`, (cursor, signal) => ok(api.GET('/v1/tool-calls', { params: { query: { limit: 50, ...status, ...(cursor && { cursor }) } }, signal })))
  const bots = useBots()
  const nameOf = (id: string | null) => bots.data?.find((b) => b.id === id)?.name ?? '—'
  const short = (pages.data?.length ?? 0) <= 50
  useEffect(() => {
    if (!short) return
    const timer = setInterval(() => document.visibilityState === 'visible' && pages.reload(), 8000)
    return () => clearInterval(timer)
  }, [short, view])

  const columns: Column<Call>[] = [
    {
      key: 'tool', title: t('tool'), width: 'minmax(0, 1.1fr)',
      cell: (c) => <RowLink to={`/work/calls/${c.id}${view === 'waiting' ? '' : `?view=${view}`}`} icon="tool" name={c.name} below={<small dir="auto">{nameOf(c.bot_id)}</small>} />,
    },
    { key: 'arguments', title: t('arguments'), width: 'minmax(0, 1.6fr)', wide: true, cell: (c) => <code class="one-line" dir="auto">{typeof c.arguments === 'string' ? c.arguments : JSON.stringify(c.arguments)}</code> },
    { key: 'status', title: t('status'), width: '140px', cell: (c) => <CallStatus status={c.status} /> },
    { key: 'asked', title: t('asked'), width: '110px', wide: true, end: true, cell: (c) => <When at={c.created_at} /> },
  ]
  const empty =
    view === 'waiting' ? <EmptyState icon="check" title={t('noneWaiting')}>{t('noneWaitingText')}</EmptyState>
    : view === 'unknown' ? <EmptyState icon="check" title={t('noneUnknown')}>{t('noneUnknownText')}</EmptyState>
    : <EmptyState icon="tool" title={t('noCalls')}>{t('noCallsText')}</EmptyState>
  return (
    <>
      <div class="toolbar">
        <Segments
          label={t('show')}
          value={view}
          options={[{ value: 'waiting', label: t('viewWaiting') }, { value: 'unknown', label: t('viewUnknown') }, { value: 'all', label: t('viewAll') }]}
          onChange={(to) => setQuery({ view: to === 'waiting' ? null : to })}
        />
      </div>
      <Table label={t('calls')} columns={columns} pages={pages} rowKey={(c) => c.id} empty={empty} rowHeight={57} />
      {open && <CallPanel key={open} id={open} botName={nameOf} onClose={() => void navigate(`/work${view === 'waiting' ? '' : `?view=${view}`}`)} />}
    </>
  )
}
