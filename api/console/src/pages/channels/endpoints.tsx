import { api, ok } from '../../api/client'
import { usePages } from '../../api/hooks'
import { useBots } from '../../api/lists'
import { may } from '../../api/permissions'
import { setQuery } from '../../router'
import { Button, EmptyState, RowLink, Table, When, type Column } from '../../ui'
import { t } from './messages'
import { EndpointState, type Endpoint } from './shared'

export function Endpoints() {
  const pages = usePages('webhook-endpoints', (cursor, signal) => ok(api.GET('/v1/webhook-endpoints', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal })))
  const bots = useBots()
  const columns: Column<Endpoint>[] = [
    {
      key: 'name', title: t('name'), width: 'minmax(0, 1fr)',
      cell: (e) => <RowLink to={`/channels/endpoints/${e.id}`} icon="plug" name={e.name} />,
    },
    { key: 'bot', title: t('bot'), width: 'minmax(0, 0.8fr)', wide: true, cell: (e) => <span dir="auto">{bots.data?.find((b) => b.id === e.bot_id)?.name ?? '—'}</span> },
    { key: 'state', title: t('state'), width: '120px', cell: (e) => <EndpointState of={e} /> },
    { key: 'created', title: t('created'), width: '110px', wide: true, end: true, cell: (e) => <When at={e.created_at} /> },
  ]
  const create = may('webhooks.manage') && (
    <Button icon="plus" onClick={() => setQuery({ new: '1' })}>
      {t('newEndpoint')}
    </Button>
  )
  return <Table label={t('endpoints')} columns={columns} pages={pages} rowKey={(e) => e.id} empty={<EmptyState icon="plug" title={t('noEndpoints')} action={create}>{t('noEndpointsText')}</EmptyState>} />
}
