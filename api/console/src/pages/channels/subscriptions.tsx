import { api, ok } from '../../api/client'
import { usePages } from '../../api/hooks'
import { may } from '../../api/permissions'
import { setQuery } from '../../router'
import { Button, EmptyState, RowLink, Table, When, type Column } from '../../ui'
import { t } from './messages'
import { eventName, Health, type Subscription } from './shared'

const summary = (s: Subscription) => (s.events.length === 1 ? eventName(s.events[0]!) : t('moreEvents', { first: eventName(s.events[0] ?? ''), n: s.events.length - 1 }))

export function Subscriptions() {
  const pages = usePages('webhook-subscriptions', (cursor, signal) => ok(api.GET('/v1/webhook-subscriptions', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal })))
  const columns: Column<Subscription>[] = [
    {
      key: 'url', title: t('url'), width: 'minmax(0, 1.4fr)',
      cell: (s) => <RowLink to={`/channels/subscriptions/${s.id}`} icon="send" name={s.url} />,
    },
    { key: 'events', title: t('events'), width: 'minmax(0, 1fr)', wide: true, cell: summary },
    { key: 'health', title: t('health'), width: '120px', cell: (s) => <Health of={s} /> },
    { key: 'created', title: t('created'), width: '110px', wide: true, end: true, cell: (s) => <When at={s.created_at} /> },
  ]
  const create = may('webhooks.manage') && (
    <Button icon="plus" onClick={() => setQuery({ new: '1' })}>
      {t('newSubscription')}
    </Button>
  )
  return <Table label={t('subscriptions')} columns={columns} pages={pages} rowKey={(s) => s.id} empty={<EmptyState icon="send" title={t('noSubscriptions')} action={create}>{t('noSubscriptionsText')}</EmptyState>} />
}
