import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import type { Failure } from '../../api/errors'
import { invalidate, useAction } from '../../api/hooks'
import { as } from '../../api/operation'
import { navigate } from '../../router'
import { Checkbox, fieldError, FormDialog, Icon, Select, TextField, toast } from '../../ui'
import { t } from './messages'
import { eventName, eventTypes, NewSecret, useEndpoints, type Subscription } from './shared'

type EventType = Schemas['EventType']

interface FieldsProps {
  url: string
  setUrl: (to: string) => void
  events: EventType[]
  setEvents: (to: EventType[]) => void
  failure: Failure | null
  missing: boolean // no event was chosen
}

function Fields({ url, setUrl, events, setEvents, failure, missing }: FieldsProps) {
  const wrong = missing && !events.length ? t('chooseEvents') : fieldError(failure, 'events')
  return (
    <>
      <TextField label={t('url')} hint={t('urlHint')} type="url" dir="ltr" required maxLength={2000} placeholder="https://" spellcheck={false} value={url} onInput={setUrl} error={fieldError(failure, 'url')} />
      <fieldset class="event-choice" aria-describedby={wrong ? 'event-choice-error' : undefined}>
        <legend>{t('eventTypes')}</legend>
        <div>
          {eventTypes.map((type) => (
            <Checkbox key={type} label={eventName(type)} hint={<code>{type}</code>} checked={events.includes(type)} onChange={(on) => setEvents(eventTypes.filter((x) => (x === type ? on : events.includes(x))))} />
          ))}
        </div>
        {wrong && (
          <p class="field-error" id="event-choice-error" role="alert">
            <Icon name="alert" size={14} />
            {wrong}
          </p>
        )}
      </fieldset>
    </>
  )
}

export function NewSubscription({ onClose }: { onClose: () => void }) {
  const endpoints = useEndpoints()
  const [url, setUrl] = useState('')
  const [events, setEvents] = useState<EventType[]>(['turn.completed', 'turn.failed'])
  const [scope, setScope] = useState('')
  const [missing, setMissing] = useState(false)
  const [made, setMade] = useState<Schemas['WebhookSubscriptionWithSecret'] | null>(null)
  const create = useAction('subscription.create', async (operation, body: Schemas['CreateWebhookSubscriptionRequest']) => {
    setMade(await ok(api.POST('/v1/webhook-subscriptions', { body, ...as(operation) })))
    invalidate('webhook-subscriptions')
  })
  if (made) return <NewSecret title={t('subscriptionMade')} secret={made.secret} text={t('subscriptionSecretText')} onClose={() => void navigate(`/channels/subscriptions/${made.id}`, { replace: true })} />
  const submit = () => (setMissing(!events.length), events.length && void create.run({ url: url.trim(), events, ...(scope && { endpoint_id: scope }) }))
  return (
    <FormDialog title={t('newSubscription')} submit={t('create')} action={create} onSubmit={submit} onClose={onClose}>
      <Fields url={url} setUrl={setUrl} events={events} setEvents={setEvents} failure={create.failure} missing={missing} />
      {(endpoints.data?.items.length ?? 0) > 0 && (
        <Select
          label={t('scope')}
          hint={t('scopeHint')}
          value={scope}
          onChange={setScope}
          options={[{ value: '', label: t('scopeAll') }, ...endpoints.data!.items.map((e) => ({ value: e.id, label: t('scopeOf', { name: e.name }) }))]}
          error={fieldError(create.failure, 'endpoint_id')}
        />
      )}
    </FormDialog>
  )
}

export function ChangeSubscription({ of: s, onDone, onClose }: { of: Subscription; onDone: (to: Subscription) => void; onClose: () => void }) {
  const [url, setUrl] = useState(s.url)
  const [events, setEvents] = useState(s.events)
  const [missing, setMissing] = useState(false)
  const change = useAction(`subscription.change.${s.id}`, async (operation, body: Schemas['ChangeWebhookSubscriptionRequest']) => {
    onDone(await ok(api.PATCH('/v1/webhook-subscriptions/{subscription_id}', { params: { path: { subscription_id: s.id } }, body, ...as(operation) })))
    toast(t('saved'))
    onClose()
  })
  const same = events.length === s.events.length && events.every((e) => s.events.includes(e))
  const body = { ...(url.trim() !== s.url && { url: url.trim() }), ...(!same && { events }) }
  const submit = () => {
    setMissing(!events.length)
    if (!events.length) return
    if (Object.keys(body).length) void change.run(body)
    else onClose()
  }
  return (
    <FormDialog title={t('changeSubscription')} submit={t('save')} action={change} onSubmit={submit} onClose={onClose}>
      <Fields url={url} setUrl={setUrl} events={events} setEvents={setEvents} failure={change.failure} missing={missing} />
    </FormDialog>
  )
}
