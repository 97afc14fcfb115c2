import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import type { Failure } from '../../api/errors'
import { invalidate, useAction } from '../../api/hooks'
import { useBots } from '../../api/lists'
import { as } from '../../api/operation'
import { Link, navigate } from '../../router'
import { Code, fieldError, FormDialog, FormError, Notice, Select, Skeleton, TextField, toast } from '../../ui'
import { t } from './messages'
import { Block, NewSecret, type Endpoint } from './shared'

export const urlOf = (e: Endpoint) => location.origin + e.path

// exampleOf is a script that signs a message and sends it to an endpoint.
export function exampleOf(e: Endpoint, secret = 'whsec_…') {
  return `url='${urlOf(e)}'
secret='${secret}'
body='{"type":"message.received","data":{"conversation_id":"chat-42","text":"${t('exampleText')}"}}'
now=$(date +%s)
event="msg_$now"
key=$(printf %s "\${secret#whsec_}" | base64 -d | od -An -tx1 | tr -d ' \\n')
signature=$(printf '%s.%s.%s' "$event" "$now" "$body" |
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)
curl -sS "$url" -H 'Content-Type: application/json' -d "$body" \\
  -H "webhook-id: $event" -H "webhook-timestamp: $now" \\
  -H "webhook-signature: v1,$signature"`
}

interface Form {
  name: string
  bot: string
  rule: Schemas['ArchivedRule']
}

function Fields({ form, set, failure, botHint }: { form: Form; set: (to: Form) => void; failure: Failure | null; botHint: string }) {
  const bots = useBots()
  if (!bots.data) return bots.failure ? <FormError failure={bots.failure} onRetry={bots.reload} /> : <Skeleton lines={4} tall />
  const offered = bots.data.filter((b) => b.status !== 'archived' || b.id === form.bot)
  if (!offered.length) return <Notice icon="bot" action={<Link to="/bots?new=1">{t('makeBot')}</Link>}>{t('noBots')}</Notice>
  return (
    <>
      <TextField label={t('name')} hint={t('nameHint')} required maxLength={200} value={form.name} onInput={(name) => set({ ...form, name })} error={fieldError(failure, 'name')} />
      <Select label={t('bot')} hint={botHint} required value={form.bot} onChange={(bot) => set({ ...form, bot })} options={[...(form.bot ? [] : [{ value: '', label: t('chooseBot') }]), ...offered.map((b) => ({ value: b.id, label: b.name }))]} error={fieldError(failure, 'bot_id')} />
      <Select label={t('onArchived')} value={form.rule} onChange={(rule) => set({ ...form, rule: rule as Form['rule'] })} options={(['new_thread', 'reopen'] as const).map((r) => ({ value: r, label: t(r) }))} error={fieldError(failure, 'on_archived')} />
    </>
  )
}

export function NewEndpoint({ onClose }: { onClose: () => void }) {
  const bots = useBots()
  const offered = bots.data?.filter((b) => b.status !== 'archived') ?? []
  const [form, setForm] = useState<Form>({ name: '', bot: '', rule: 'new_thread' })
  const [made, setMade] = useState<Schemas['WebhookEndpointWithSecret'] | null>(null)
  const create = useAction('endpoint.create', async (operation, body: Schemas['CreateWebhookEndpointRequest']) => {
    setMade(await ok(api.POST('/v1/webhook-endpoints', { body, ...as(operation) })))
    invalidate('webhook-endpoints')
  })
  if (made) {
    return (
      <NewSecret title={t('endpointMade')} secret={made.secret} text={t('endpointSecretText')} onClose={() => void navigate(`/channels/endpoints/${made.id}`, { replace: true })}>
        <Block title={t('sendTo')}>
          <Code label={t('sendTo')} text={urlOf(made)} />
        </Block>
        <Block title={t('tryIt')}>
          <Code label={t('example')} text={exampleOf(made, made.secret)} />
          <p class="hint after">{t('tryText')}</p>
        </Block>
      </NewSecret>
    )
  }
  const bot = form.bot || (offered.length === 1 ? offered[0]!.id : '')
  const submit = () => void create.run({ name: form.name.trim(), bot_id: bot, on_archived: form.rule })
  return (
    <FormDialog title={t('newEndpoint')} submit={t('create')} action={create} disabled={!offered.length} onSubmit={submit} onClose={onClose}>
      <Fields form={{ ...form, bot }} set={setForm} failure={create.failure} botHint={t('botHint')} />
    </FormDialog>
  )
}

export function ChangeEndpoint({ of: e, onDone, onClose }: { of: Endpoint; onDone: (to: Endpoint) => void; onClose: () => void }) {
  const [form, setForm] = useState<Form>({ name: e.name, bot: e.bot_id, rule: e.on_archived })
  const change = useAction(`endpoint.change.${e.id}`, async (operation, body: Schemas['ChangeWebhookEndpointRequest']) => {
    onDone(await ok(api.PATCH('/v1/webhook-endpoints/{endpoint_id}', { params: { path: { endpoint_id: e.id } }, body, ...as(operation) })))
    toast(t('saved'))
    onClose()
  })
  const body = {
    ...(form.name.trim() !== e.name && { name: form.name.trim() }),
    ...(form.bot !== e.bot_id && { bot_id: form.bot }),
    ...(form.rule !== e.on_archived && { on_archived: form.rule }),
  }
  const submit = () => (Object.keys(body).length ? void change.run(body) : onClose())
  return (
    <FormDialog title={t('changeEndpoint')} submit={t('save')} action={change} onSubmit={submit} onClose={onClose}>
      <Fields form={form} set={setForm} failure={change.failure} botHint={t('changeBotHint')} />
    </FormDialog>
  )
}
