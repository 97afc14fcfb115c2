import { api, ok } from '../../api/client'
import { usePages, usePolling } from '../../api/hooks'
import { number } from '../../i18n'
import { query, setQuery } from '../../router'
import { EmptyState, Filter, RowLink, Segments, Table, When, type Column } from '../../ui'
import { DeliveryPanel } from './delivery'
import { t } from './messages'
import { DeliveryState, eventName, nameOf, useSubscriptions, withQuery, type Delivery } from './shared'

const states = ['pending', 'delivered', 'failed'] as const

// Deliveries are those of all subscriptions, or of one.
export function Deliveries({ subscription }: { subscription?: string }) {
  const subscriptions = useSubscriptions()
  const to = subscription ?? query('subscription') ?? ''
  const state = states.find((s) => s === query('state'))
  const open = query('delivery')
  const pages = usePages(`webhook-deliveries?${to}&${state ?? ''}`, (cursor, signal) =>
    ok(api.GET('/v1/webhook-deliveries', { params: { query: { limit: 50, ...(to && { subscription_id: to }), ...(state && { status: state }), ...(cursor && { cursor }) } }, signal })),
  )
  const rows = pages.data ?? []
  usePolling(rows.length <= 50, pages, rows.some((d) => d.status === 'pending' && !d.attempts) ? 1500 : 5000)
  const urlOf = (id: string) => nameOf(subscriptions.data, id, (s) => s.url, t('deletedSubscription'))
  const columns: Column<Delivery>[] = [
    {
      key: 'event', title: t('event'), width: 'minmax(0, 1fr)',
      cell: (d) => <RowLink to={withQuery({ delivery: d.id })} icon="send" name={eventName(d.event_type)} below={<small class="mono">{d.event_type}</small>} />,
    },
    ...(subscription ? [] : [{ key: 'subscription', title: t('subscription'), width: 'minmax(0, 1.2fr)', wide: true, cell: (d: Delivery) => <span dir="ltr">{urlOf(d.subscription_id)}</span> }]),
    { key: 'state', title: t('state'), width: '130px', cell: (d) => <DeliveryState of={d} /> },
    { key: 'attempts', title: t('attempts'), width: '90px', wide: true, end: true, cell: (d) => number(d.attempts) },
    { key: 'created', title: t('created'), width: '110px', wide: true, end: true, cell: (d) => <When at={d.created_at} /> },
  ]
  const filtered = !!state || (!subscription && !!to)
  const empty = filtered ? <EmptyState icon="search" title={t('noneMatch')}>{t('noneMatchText')}</EmptyState> : <EmptyState icon="send" title={t('noDeliveries')}>{t('noDeliveriesText')}</EmptyState>
  return (
    <>
      {(rows.length > 0 || filtered) && (
        <div class="toolbar">
          <Segments label={t('show')} value={state ?? ''} options={[{ value: '', label: t('all') }, ...states.map((s) => ({ value: s, label: t(`d_${s}`) }))]} onChange={(value) => setQuery({ state: value })} />
          {!subscription && <Filter label={t('subscription')} value={to} options={[{ value: '', label: t('anySubscription') }, ...(subscriptions.data?.items ?? []).map((s) => ({ value: s.id, label: s.url }))]} onChange={(value) => setQuery({ subscription: value })} />}
        </div>
      )}
      <Table label={t('deliveries')} columns={columns} pages={pages} rowKey={(d) => d.id} rowHeight={57} empty={empty} />
      {open && <DeliveryPanel key={open} id={open} urlOf={urlOf} onClose={() => setQuery({ delivery: null })} />}
    </>
  )
}
