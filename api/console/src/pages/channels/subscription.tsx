import { useEffect, useState } from 'preact/hooks'
import { api, ok } from '../../api/client'
import { invalidate, useAction, usePolling, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { me } from '../../api/session'
import { dateTime, duration } from '../../i18n'
import { Link, navigate } from '../../router'
import { At, Badge, Button, confirm, ErrorState, Facts, Icon, Id, LinkButton, Menu, Notice, PageBody, PageHeader, Reading, Section, toast, useFailureToast } from '../../ui'
import { Deliveries } from './deliveries'
import { Missing } from './endpoint'
import { t } from './messages'
import { eventName, Health, nameOf, Responsible, Rotate, useEndpoints, withQuery, type Subscription } from './shared'
import { ChangeSubscription } from './subscription-forms'

const crumb = () => ({ to: '/channels/subscriptions', label: t('subscriptions') })

// SubscriptionPage is a subscription and its deliveries.
export function SubscriptionPage({ id }: { id: string }) {
  const path = { subscription_id: id }
  const subscription = useQuery(`webhook-subscription/${id}`, (signal) => ok(api.GET('/v1/webhook-subscriptions/{subscription_id}', { params: { path }, signal })))
  const endpoints = useEndpoints()
  const [test, setTest] = useState<string>() // id of the delivery of the last test
  const ping = useAction(`subscription.ping.${id}`, async (operation) => {
    setTest((await ok(api.POST('/v1/webhook-subscriptions/{subscription_id}/ping', { params: { path }, body: {}, ...as(operation) }))).id)
    invalidate('webhook-deliveries')
  })
  useFailureToast(ping.failure)
  const s = subscription.data
  if (!s) {
    return (
      <>
        <PageHeader title={t('subscription')} crumb={crumb()} />
        <PageBody><Reading of={subscription} gone={<Missing to="/channels/subscriptions" />} lines={6} tall /></PageBody>
      </>
    )
  }
  const set = (to: Subscription) => {
    subscription.set(to)
    invalidate('webhook-subscriptions')
  }
  return (
    <>
      <PageHeader
        title={s.url}
        crumb={crumb()}
        badge={<Health of={s} />}
        actions={
          may('webhooks.manage') && (
            <>
              <Button icon="send" busy={ping.pending} onClick={() => void ping.run()}>
                {t('ping')}
              </Button>
              <Actions of={s} set={set} />
            </>
          )
        }
      />
      <PageBody>
        <div class="channel-notices">
          <Troubles of={s} />
          {test && <TestResult key={test} id={test} onEnd={subscription.reload} />}
        </div>
        <div class="card channel-about">
          <Facts
            facts={[
              [t('url'), <Id id={s.url} label={t('copyUrl')} />],
              [t('events'), <span class="type-list">{s.events.map((e) => <Badge key={e}>{eventName(e)}</Badge>)}</span>],
              [t('scope'), s.endpoint_id ? <Link to={`/channels/endpoints/${s.endpoint_id}`}><span dir="auto">{nameOf(endpoints.data, s.endpoint_id, (e) => e.name, t('deletedEndpoint'))}</span></Link> : t('scopeAll')],
              [t('responsible'), <Responsible id={s.responsible_id} />],
              [t('created'), <At at={s.created_at} />],
            ]}
          />
        </div>
        <Section title={t('deliveries')} hint={t('deliveriesHint')}>
          <Deliveries subscription={s.id} />
        </Section>
      </PageBody>
    </>
  )
}

function Troubles({ of: s }: { of: Subscription }) {
  if (s.status === 'disabled') return <Notice tone={s.disabled_reason ? 'bad' : 'warn'} icon="alert">{s.disabled_reason ? t('stoppedText', { reason: s.disabled_reason }) : t('offText')}</Notice>
  return (
    <>
      {s.held_at && <Notice tone="warn" icon="alert">{t('heldText')}</Notice>}
      {s.failing_since && <Notice tone="warn" icon="alert">{t('failingText', { at: dateTime(s.failing_since) })}</Notice>}
    </>
  )
}

// TestResult follows the delivery of a test until it has ended.
function TestResult({ id, onEnd }: { id: string; onEnd: () => void }) {
  const delivery = useQuery(`webhook-delivery/${id}`, (signal) => ok(api.GET('/v1/webhook-deliveries/{delivery_id}', { params: { path: { delivery_id: id } }, signal })))
  const d = delivery.data
  const tried = d?.log[0]
  const running = !d || d.status === 'pending'
  usePolling(running, delivery, 600)
  useEffect(() => {
    if (running) return
    onEnd()
    invalidate('webhook-deliveries')
  }, [running])
  if (delivery.failure && !d) return <ErrorState failure={delivery.failure} onRetry={delivery.reload} />
  if (running) return <Notice icon="clock">{t('pingRunning')}</Notice>
  const good = d.status === 'delivered'
  const facts = tried && [tried.status === null ? t('noAnswer') : `HTTP ${tried.status}`, duration(tried.latency_ms), tried.error].filter(Boolean).join(' · ')
  return (
    <div role="status">
      <Notice tone={good ? 'good' : 'bad'} icon={good ? 'check' : 'alert'} action={<LinkButton small to={withQuery({ delivery: id })}>{t('pingDelivery')}</LinkButton>}>
        <b>{t(good ? 'pingGood' : 'pingBad')}</b>
        {facts && <p dir="auto">{facts}</p>}
      </Notice>
    </div>
  )
}

function Actions({ of: s, set }: { of: Subscription; set: (to: Subscription) => void }) {
  const [open, setOpen] = useState<'change' | 'rotate' | null>(null)
  const path = { subscription_id: s.id }
  const turn = useAction(`subscription.status.${s.id}`, async (operation, status: Subscription['status']) => {
    set(await ok(api.PATCH('/v1/webhook-subscriptions/{subscription_id}', { params: { path }, body: { status }, ...as(operation) })))
    toast(t(status === 'active' ? 'enabledToast' : 'disabledToast'))
  })
  const adopt = useAction(`subscription.adopt.${s.id}`, async (operation) => {
    set(await ok(api.POST('/v1/webhook-subscriptions/{subscription_id}/adopt', { params: { path }, body: {}, ...as(operation) })))
    toast(t('adopted'))
  })
  const remove = useAction(`subscription.delete.${s.id}`, async (operation) => {
    await ok(api.DELETE('/v1/webhook-subscriptions/{subscription_id}', { params: { path }, ...as(operation) }))
    await navigate('/channels/subscriptions')
    invalidate('webhook-subscription')
    toast(t('subscriptionDeleted'))
  })
  const failure = turn.failure ?? adopt.failure ?? remove.failure
  useFailureToast(failure)

  const ask = {
    disable: async () => (await confirm({ title: t('disableSubscriptionTitle'), text: t('disableSubscriptionText'), yes: t('disable') })) && turn.run('disabled'),
    adopt: async () => (await confirm({ title: t('adoptTitle'), text: t('adoptSubscriptionText', { url: s.url }), yes: t('adopt') })) && adopt.run(),
    remove: async () => (await confirm({ title: t('deleteSubscriptionTitle'), text: t('deleteSubscriptionText'), yes: t('remove'), danger: true })) && remove.run(),
  }
  const adoptable = may('members.manage') && (!!s.held_at || s.responsible_id !== me.value?.user_id)
  return (
    <>
      {adoptable && s.held_at && (
        <Button kind="primary" busy={adopt.pending} onClick={() => void ask.adopt()}>
          {t('adopt')}
        </Button>
      )}
      <Button onClick={() => setOpen('change')}>{t('change')}</Button>
      <Menu
        label={t('more')}
        align="end"
        button={<Icon name="dots" />}
        groups={[
          {
            items: [
              { label: t('rotate'), icon: 'key', onSelect: () => setOpen('rotate') },
              s.status === 'active' ? { label: t('disable'), icon: 'stop', onSelect: () => void ask.disable() } : { label: t('enable'), icon: 'check', onSelect: () => void turn.run('active') },
              ...(adoptable && !s.held_at ? [{ label: t('adopt'), icon: 'people' as const, onSelect: () => void ask.adopt() }] : []),
            ],
          },
          { items: [{ label: t('remove'), icon: 'trash', danger: true, onSelect: () => void ask.remove() }] },
        ]}
      />
      {open === 'change' && <ChangeSubscription of={s} onDone={set} onClose={() => setOpen(null)} />}
      {open === 'rotate' && (
        <Rotate
          id={s.id}
          hint={t('overlapOutHint')}
          text={t('subscriptionSecretText')}
          rotate={(operation, body) => ok(api.POST('/v1/webhook-subscriptions/{subscription_id}/rotate-secret', { params: { path }, body, ...as(operation) }))}
          onClose={() => setOpen(null)}
        />
      )}
    </>
  )
}
