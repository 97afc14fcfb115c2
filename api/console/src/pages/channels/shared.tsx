import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { useAction, useQuery } from '../../api/hooks'
import { listed, type Listed } from '../../api/lists'
import { may } from '../../api/permissions'
import { me } from '../../api/session'
import { route } from '../../router'
import { Badge, Button, Code, Dialog, FormDialog, Notice, Select } from '../../ui'
import { t, type Key } from './messages'

export type Endpoint = Schemas['WebhookEndpoint']
export type Subscription = Schemas['WebhookSubscription']
export type Event = Schemas['WebhookEvent']
export type Delivery = Schemas['WebhookDelivery']

const eventNames: Record<Schemas['EventType'], Key> = {
  'turn.completed': 'ev_turn_completed', 'turn.failed': 'ev_turn_failed', 'tool_call.waiting': 'ev_tool_call_waiting', 'bot.updated': 'ev_bot_updated',
  'document.ready': 'ev_document_ready', 'document.failed': 'ev_document_failed', 'dead_letter.created': 'ev_dead_letter_created', 'limit.warning': 'ev_limit_warning',
}
export const eventTypes = Object.keys(eventNames) as Schemas['EventType'][]
const named = new Map<string, Key>([...Object.entries(eventNames), ['ping', 'ev_ping'], ['message.received', 'ev_message_received']])

// eventName says what a type of event means; others are named by their type.
export function eventName(type: string) {
  const key = named.get(type)
  return key ? t(key) : type
}

const tones = { active: 'good', disabled: 'plain', received: 'accent', processed: 'good', failed: 'bad', ignored: 'plain', pending: 'accent', delivered: 'good' } as const

export const EndpointState = ({ of: e }: { of: Endpoint }) => <Badge tone={tones[e.status]} dot>{t(e.status)}</Badge>
export const EventState = ({ of: e }: { of: Event }) => <Badge tone={tones[e.status]} dot>{t(`e_${e.status}`)}</Badge>
export const DeliveryState = ({ of: d }: { of: Delivery }) => (d.status === 'pending' && d.attempts > 0 ? <Badge tone="warn" dot>{t('d_again')}</Badge> : <Badge tone={tones[d.status]} dot>{t(`d_${d.status}`)}</Badge>)

export function Health({ of: s }: { of: Subscription }) {
  if (s.status === 'disabled') return s.disabled_reason ? <Badge tone="bad" dot>{t('stoppedBy')}</Badge> : <Badge dot>{t('disabled')}</Badge>
  if (s.held_at) return <Badge tone="warn" dot>{t('held')}</Badge>
  if (s.failing_since) return <Badge tone="warn" dot>{t('failingSince')}</Badge>
  return <Badge tone="good" dot>{t('active')}</Badge>
}

export const useEndpoints = () => useQuery('webhook-endpoints names', (signal) => listed((cursor) => ok(api.GET('/v1/webhook-endpoints', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal }))))

export const useSubscriptions = () => useQuery('webhook-subscriptions names', (signal) => listed((cursor) => ok(api.GET('/v1/webhook-subscriptions', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal }))))

// nameOf names an item of a list that may have been deleted, or may not have been read.
export function nameOf<T extends { id: string }>(list: Listed<T> | undefined, id: string, name: (item: T) => string, deleted: string): string {
  const found = list?.items.find((x) => x.id === id)
  if (found) return name(found)
  return !list ? '…' : list.complete ? deleted : id
}

// Responsible names the person who is responsible; API keys are named to those who manage them.
export function Responsible({ id }: { id: string }) {
  const people = useQuery('members responsible', async (signal) => ok(api.GET('/v1/members', { params: { query: { limit: 100 } }, signal })))
  const keys = useQuery(may('keys.manage') ? 'api-keys responsible' : null, async (signal) => (await ok(api.GET('/v1/api-keys', { params: { query: { limit: 100 } }, signal }))).items)
  if (id === me.value?.user_id) return <>{me.value.email} ({t('you')})</>
  const name = people.data?.items.find((m) => m.user_id === id)?.email ?? keys.data?.find((k) => k.id === id)?.name
  if (name) return <span dir="auto">{name}</span>
  return people.data && !people.data.has_more ? <>{t('notMember')}</> : <code>{id}</code>
}

// withQuery returns the address of this page with some parameters changed.
export function withQuery(values: Record<string, string>) {
  const params = new URLSearchParams(route.value.search)
  for (const [name, value] of Object.entries(values)) params.set(name, value)
  return `${route.value.path}?${params}`
}

export const Block = ({ title, children }: { title: string; children: ComponentChildren }) => (
  <div>
    <h3>{title}</h3>
    {children}
  </div>
)

// Said is a text that somebody wrote, in its own direction.
export const Said = ({ children }: { children: string }) => (
  <p class="said" dir="auto">
    {children}
  </p>
)

// NewSecret shows a secret, which the server shows only once.
export function NewSecret({ title, secret, text, onClose, children }: { title: string; secret: string; text: string; onClose: () => void; children?: ComponentChildren }) {
  return (
    <Dialog fixed title={title} onClose={onClose} footer={<Button kind="primary" onClick={onClose}>{t('copiedIt')}</Button>}>
      <div class="stacked">
        <Block title={t('secret')}>
          <Code label={t('secret')} text={secret} />
          <p class="hint after">{text}</p>
        </Block>
        <Notice tone="warn" icon="key">{t('once')}</Notice>
        {children}
      </div>
    </Dialog>
  )
}

const overlaps = [86_400, 3600, 604_800, 0] as const

interface RotateProps {
  id: string
  hint: string
  text: string
  rotate: (operation: string, body: Schemas['RotateSecretRequest']) => Promise<{ secret: string }>
  onClose: () => void
}

export function Rotate({ id, hint, text, rotate, onClose }: RotateProps) {
  const [seconds, setSeconds] = useState('86400')
  const [secret, setSecret] = useState<string>()
  const run = useAction(`webhook.rotate.${id}`, async (operation, body: Schemas['RotateSecretRequest']) => setSecret((await rotate(operation, body)).secret))
  if (secret) return <NewSecret title={t('rotated')} secret={secret} text={text} onClose={onClose} />
  const submit = () => void run.run({ overlap_seconds: Number(seconds) })
  return (
    <FormDialog title={t('rotate')} submit={t('rotateGo')} action={run} onSubmit={submit} onClose={onClose}>
      <p>{t('rotateText')}</p>
      <Select label={t('overlap')} hint={hint} value={seconds} onChange={setSeconds} options={overlaps.map((s) => ({ value: String(s), label: t(`overlap${s}`) }))} />
    </FormDialog>
  )
}

