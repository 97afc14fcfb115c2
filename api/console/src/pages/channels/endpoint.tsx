import { useState } from 'preact/hooks'
import { api, ok } from '../../api/client'
import { invalidate, useAction, useQuery } from '../../api/hooks'
import { useBots } from '../../api/lists'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { me } from '../../api/session'
import { PageLink } from '../../layout/links'
import { navigate } from '../../router'
import { At, Button, Code, confirm, EmptyState, Facts, Icon, Id, LinkButton, Menu, Notice, PageBody, PageHeader, Reading, Section, toast, useFailureToast } from '../../ui'
import { ChangeEndpoint, exampleOf, urlOf } from './endpoint-forms'
import { Events } from './events'
import { t } from './messages'
import { EndpointState, Responsible, Rotate, type Endpoint } from './shared'

const crumb = () => ({ to: '/channels', label: t('title') })

// EndpointPage is an endpoint and the events that it received.
export function EndpointPage({ id }: { id: string }) {
  const endpoint = useQuery(`webhook-endpoint/${id}`, (signal) => ok(api.GET('/v1/webhook-endpoints/{endpoint_id}', { params: { path: { endpoint_id: id } }, signal })))
  const bots = useBots()
  const e = endpoint.data
  if (!e) {
    return (
      <>
        <PageHeader title={t('endpoint')} crumb={crumb()} />
        <PageBody><Reading of={endpoint} gone={<Missing to="/channels" />} lines={6} tall /></PageBody>
      </>
    )
  }
  const bot = bots.data?.find((b) => b.id === e.bot_id)
  const set = (to: Endpoint) => {
    endpoint.set(to)
    invalidate('webhook-endpoints')
  }
  return (
    <>
      <PageHeader title={e.name} crumb={crumb()} badge={<EndpointState of={e} />} actions={may('webhooks.manage') && <Actions of={e} set={set} />} />
      <PageBody>
        <div class="channel-notices">
          {e.status === 'disabled' && <Notice tone="warn" icon="alert">{t('endpointOff')}</Notice>}
          {bot?.status === 'archived' && <Notice tone="warn" icon="clock">{t('botArchived')}</Notice>}
        </div>
        <div class="card stacked channel-about">
          <Facts
            facts={[
              [t('sendTo'), <Id id={urlOf(e)} label={t('copyUrl')} />],
              [t('bot'), <PageLink page="bots" to={`/bots/${e.bot_id}`}><span dir="auto">{bot?.name ?? e.bot_id}</span></PageLink>],
              [t('onArchived'), t(e.on_archived)],
              [t('responsible'), <Responsible id={e.responsible_id} />],
              [t('created'), <At at={e.created_at} />],
            ]}
          />
          <details class="channel-example">
            <summary>{t('tryIt')}</summary>
            <p class="hint">
              {t('tryAgain')} {t('tryText')}
            </p>
            <Code label={t('example')} text={exampleOf(e)} />
          </details>
        </div>
        <Section title={t('events')} hint={t('eventsHint')}>
          <Events endpoint={e.id} />
        </Section>
      </PageBody>
    </>
  )
}

export const Missing = ({ to }: { to: string }) => (
  <EmptyState icon="plug" title={t('noneMatch')} action={<LinkButton to={to}>{t('back')}</LinkButton>}>
    {t('notFound')}
  </EmptyState>
)

function Actions({ of: e, set }: { of: Endpoint; set: (to: Endpoint) => void }) {
  const [open, setOpen] = useState<'change' | 'rotate' | null>(null)
  const path = { endpoint_id: e.id }
  const turn = useAction(`endpoint.status.${e.id}`, async (operation, status: Endpoint['status']) => {
    set(await ok(api.PATCH('/v1/webhook-endpoints/{endpoint_id}', { params: { path }, body: { status }, ...as(operation) })))
    toast(t(status === 'active' ? 'enabledToast' : 'disabledToast'))
  })
  const adopt = useAction(`endpoint.adopt.${e.id}`, async (operation) => {
    set(await ok(api.POST('/v1/webhook-endpoints/{endpoint_id}/adopt', { params: { path }, body: {}, ...as(operation) })))
    toast(t('adopted'))
  })
  const remove = useAction(`endpoint.delete.${e.id}`, async (operation) => {
    await ok(api.DELETE('/v1/webhook-endpoints/{endpoint_id}', { params: { path }, ...as(operation) }))
    await navigate('/channels')
    invalidate('webhook-endpoint')
    toast(t('endpointDeleted'))
  })
  const failure = turn.failure ?? adopt.failure ?? remove.failure
  useFailureToast(failure)

  const ask = {
    disable: async () => (await confirm({ title: t('disableEndpointTitle', { name: e.name }), text: t('disableEndpointText'), yes: t('disable') })) && turn.run('disabled'),
    adopt: async () => (await confirm({ title: t('adoptTitle'), text: t('adoptEndpointText'), yes: t('adopt') })) && adopt.run(),
    remove: async () => (await confirm({ title: t('deleteEndpointTitle', { name: e.name }), text: t('deleteEndpointText'), yes: t('remove'), danger: true })) && remove.run(),
  }
  const adoptable = may('members.manage') && e.responsible_id !== me.value?.user_id
  return (
    <>
      <Button onClick={() => setOpen('change')}>{t('change')}</Button>
      <Menu
        label={t('more')}
        align="end"
        button={<Icon name="dots" />}
        groups={[
          {
            items: [
              { label: t('rotate'), icon: 'key', onSelect: () => setOpen('rotate') },
              e.status === 'active' ? { label: t('disable'), icon: 'stop', onSelect: () => void ask.disable() } : { label: t('enable'), icon: 'check', onSelect: () => void turn.run('active') },
              ...(adoptable ? [{ label: t('adopt'), icon: 'people' as const, onSelect: () => void ask.adopt() }] : []),
            ],
          },
          { items: [{ label: t('remove'), icon: 'trash', danger: true, onSelect: () => void ask.remove() }] },
        ]}
      />
      {open === 'change' && <ChangeEndpoint of={e} onDone={set} onClose={() => setOpen(null)} />}
      {open === 'rotate' && (
        <Rotate
          id={e.id}
          hint={t('overlapInHint')}
          text={t('endpointSecretText')}
          rotate={(operation, body) => ok(api.POST('/v1/webhook-endpoints/{endpoint_id}/rotate-secret', { params: { path }, body, ...as(operation) }))}
          onClose={() => setOpen(null)}
        />
      )}
    </>
  )
}
