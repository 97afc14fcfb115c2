import type { PageProps } from '..'
import { may } from '../../api/permissions'
import { NotFound } from '../../layout/not-found'
import { Link, query, setQuery } from '../../router'
import { Button, Icon, PageBody, PageHeader, Tabs, type IconName } from '../../ui'
import { Deliveries } from './deliveries'
import { EndpointPage } from './endpoint'
import { NewEndpoint } from './endpoint-forms'
import { Endpoints } from './endpoints'
import { Events } from './events'
import { t } from './messages'
import { NewSubscription } from './subscription-forms'
import { SubscriptionPage } from './subscription'
import { Subscriptions } from './subscriptions'
import './styles.css'

const tabs = ['endpoints', 'received', 'subscriptions', 'deliveries'] as const

export default function Channels({ params }: PageProps) {
  const tab = tabs.find((x) => x === (params.tab ?? 'endpoints'))
  if (params.id && tab === 'endpoints') return <EndpointPage key={params.id} id={params.id} />
  if (params.id && tab === 'subscriptions') return <SubscriptionPage key={params.id} id={params.id} />
  if (!tab || params.id) return <NotFound />
  const making = tab === 'endpoints' ? t('newEndpoint') : tab === 'subscriptions' ? t('newSubscription') : null
  const close = () => setQuery({ new: null })
  return (
    <>
      <PageHeader
        title={t('title')}
        tabs={<Tabs label={t('title')} tabs={tabs.map((x) => ({ to: x === 'endpoints' ? '/channels' : `/channels/${x}`, label: t(x), current: x === tab }))} />}
        actions={
          making && may('webhooks.manage') && (
            <Button kind="primary" icon="plus" onClick={() => setQuery({ new: '1' })}>
              {making}
            </Button>
          )
        }
      />
      <PageBody>
        {making && <Directions out={tab === 'subscriptions'} />}
        {tab === 'endpoints' && <Endpoints />}
        {tab === 'received' && <Events />}
        {tab === 'subscriptions' && <Subscriptions />}
        {tab === 'deliveries' && <Deliveries />}
      </PageBody>
      {query('new') && may('webhooks.manage') && tab === 'endpoints' && <NewEndpoint onClose={close} />}
      {query('new') && may('webhooks.manage') && tab === 'subscriptions' && <NewSubscription onClose={close} />}
    </>
  )
}

// Directions say what messages in and events out are for; each leads to its list.
function Directions({ out }: { out: boolean }) {
  return (
    <ul class="directions" aria-label={t('directions')}>
      <Direction icon="chat" title={t('in')} text={t('inText')} to="/channels" current={!out} />
      <Direction icon="send" title={t('out')} text={t('outText')} to="/channels/subscriptions" current={out} />
    </ul>
  )
}

function Direction({ icon, title, text, to, current }: { icon: IconName; title: string; text: string; to: string; current: boolean }) {
  return (
    <li class={current ? 'current' : ''}>
      <span class="tile" aria-hidden="true">
        <Icon name={icon} />
      </span>
      <div>
        <h2>{current ? title : <Link to={to}>{title}</Link>}</h2>
        <p>{text}</p>
      </div>
    </li>
  )
}
