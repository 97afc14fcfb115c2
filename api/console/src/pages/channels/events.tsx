import { api, ok } from '../../api/client'
import { usePages, usePolling } from '../../api/hooks'
import { query, setQuery } from '../../router'
import { EmptyState, Filter, RowLink, Segments, Table, When, type Column } from '../../ui'
import { EventPanel } from './event'
import { t } from './messages'
import { eventName, EventState, nameOf, useEndpoints, withQuery, type Event } from './shared'

const states = ['received', 'processed', 'failed', 'ignored'] as const

// Events are the events that endpoints received; with an endpoint, those of that one.
export function Events({ endpoint }: { endpoint?: string }) {
  const endpoints = useEndpoints()
  const from = endpoint ?? query('endpoint') ?? ''
  const state = states.find((s) => s === query('state'))
  const open = query('event')
  const pages = usePages(`webhook-events?${from}&${state ?? ''}`, (cursor, signal) =>
    ok(api.GET('/v1/webhook-events', { params: { query: { limit: 50, ...(from && { endpoint_id: from }), ...(state && { status: state }), ...(cursor && { cursor }) } }, signal })),
  )
  const rows = pages.data ?? []
  usePolling(rows.length <= 50, pages, rows.some((e) => e.status === 'received') ? 1500 : 5000) // what comes in is seen as it does
  const endpointName = (id: string) => nameOf(endpoints.data, id, (e) => e.name, t('deletedEndpoint'))
  const columns: Column<Event>[] = [
    {
      key: 'event', title: t('event'), width: 'minmax(0, 1.2fr)',
      cell: (e) => <RowLink to={withQuery({ event: e.id })} icon={e.conversation_id === null ? 'file' : 'chat'} name={e.conversation_id ?? eventName(e.type)} below={<small class="mono" dir="ltr">{e.webhook_id}</small>} />,
    },
    { key: 'type', title: t('type'), width: 'minmax(0, 0.8fr)', wide: true, cell: (e) => <code class="one-line">{e.type}</code> },
    ...(endpoint ? [] : [{ key: 'endpoint', title: t('endpoint'), width: 'minmax(0, 0.8fr)', wide: true, cell: (e: Event) => <span dir="auto">{endpointName(e.endpoint_id)}</span> }]),
    { key: 'state', title: t('state'), width: '130px', cell: (e) => <EventState of={e} /> },
    { key: 'at', title: t('at'), width: '110px', wide: true, end: true, cell: (e) => <When at={e.received_at} /> },
  ]
  const filtered = !!state || (!endpoint && !!from)
  const empty = filtered ? <EmptyState icon="search" title={t('noneMatch')}>{t('noneMatchText')}</EmptyState> : <EmptyState icon="chat" title={t('noEvents')}>{t('noEventsText')}</EmptyState>
  return (
    <>
      {(rows.length > 0 || filtered) && (
        <div class="toolbar">
          <Segments label={t('show')} value={state ?? ''} options={[{ value: '', label: t('all') }, ...states.map((s) => ({ value: s, label: t(`e_${s}`) }))]} onChange={(to) => setQuery({ state: to })} />
          {!endpoint && <Filter label={t('endpoint')} value={from} options={[{ value: '', label: t('anyEndpoint') }, ...(endpoints.data?.items ?? []).map((e) => ({ value: e.id, label: e.name }))]} onChange={(to) => setQuery({ endpoint: to })} />}
        </div>
      )}
      <Table label={t('events')} columns={columns} pages={pages} rowKey={(e) => e.id} rowHeight={57} empty={empty} />
      {open && <EventPanel key={open} id={open} endpointName={endpointName} onClose={() => setQuery({ event: null })} />}
    </>
  )
}
