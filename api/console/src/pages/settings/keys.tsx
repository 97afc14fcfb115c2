import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { useAction } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { date, duration } from '../../i18n'
import { Badge, Button, confirm, fieldError, FormDialog, FormError, Notice, PasswordField, TextField, toast, useSecretForm } from '../../ui'
import { Card } from './card'
import { t } from './messages'
import type { Provider } from './models'

const names: Record<Provider, string> = { openai: 'OpenAI', anthropic: 'Anthropic' }
const causes: Record<string, Parameters<typeof t>[0]> = {
  MODEL_CREDENTIALS: 'causeCredentials', EMBEDDING_CREDENTIALS: 'causeCredentials', MODEL_QUOTA: 'causeQuota', EMBEDDING_QUOTA: 'causeQuota', MODEL_NOT_FOUND: 'causeModel', EMBEDDING_MODEL_NOT_FOUND: 'causeModel',
  MODEL_UNAVAILABLE: 'causeUnavailable', MODEL_TIMEOUT: 'causeUnavailable', EMBEDDING_UNAVAILABLE: 'causeUnavailable', DOWNSTREAM_UNAVAILABLE: 'causeUnavailable',
}

type Tested = Pick<Schemas['ModelKeyTest'], 'ok' | 'code' | 'message' | 'provider_code' | 'latency_ms'> & { model?: string | undefined; dimensions?: number | null }

// TestResult says plainly whether a key works, and if not, what to do.
function TestResult({ tested, onModel, model, busy }: { tested: Tested; onModel?: (() => void) | undefined; model?: string | undefined; busy?: boolean }) {
  return (
    <div role="status">
      {tested.ok ? (
        <Notice tone="good" icon="check" action={onModel && !tested.model && <Button small busy={busy ?? false} onClick={onModel}>{t('testModel', { model: model ?? '' })}</Button>}>
          <b>{tested.model ? t('modelWorks', { model: tested.model }) : t('keyWorks')}</b>
          <p>
            {t('answeredIn', { time: duration(tested.latency_ms) })} {tested.dimensions ? t('dimensionsAre', { n: tested.dimensions }) : ''}
          </p>
        </Notice>
      ) : (
        <Notice tone="bad" icon="alert">
          <b>{t('keyFails')}</b>
          <p>{tested.code && causes[tested.code] ? t(causes[tested.code]!) : tested.message}</p>
          <p>
            <code>{[tested.code, tested.provider_code].filter(Boolean).join(' · ')}</code>
          </p>
        </Notice>
      )}
    </div>
  )
}

const ownText = (key: { last_four: string; base_url: string | null; created_at: string }) => (
  <>
    <code>…{key.last_four}</code> · {t('since', { date: date(key.created_at) })}
    {key.base_url && (
      <>
        {' '}
        · <code>{key.base_url}</code>
      </>
    )}
  </>
)

interface ProviderProps {
  provider: Provider
  own: Schemas['ModelKey'] | undefined
  operator: boolean
  unavailable: Schemas['UnavailableModels'] | undefined
  model: string | undefined // the default model, if it is of this provider
  onChange: () => void
}

export function ProviderCard({ provider, own, operator, unavailable, model, onChange }: ProviderProps) {
  const [editing, setEditing] = useState(false)
  const [tested, setTested] = useState<Tested | null>(null)
  const path = { provider }
  const test = useAction(`model-key.test.${provider}`, async (operation, model: string | undefined) => {
    setTested(null)
    setTested({ ...(await ok(api.POST('/v1/model-keys/{provider}/test', { params: { path }, body: model ? { model } : {}, ...as(operation) }))), model })
  })
  const remove = useAction(`model-key.delete.${provider}`, async (operation) => {
    await ok(api.DELETE('/v1/model-keys/{provider}', { params: { path }, ...as(operation) }))
    setTested(null)
    toast(t('keyDeleted'))
    onChange()
  })
  const ask = async () => {
    if (await confirm({ title: t('deleteTitle', { name: names[provider] }), text: operator ? t('deleteOperator') : t('deleteText'), yes: t('delete'), danger: true })) void remove.run()
  }
  const manages = may('models.manage')
  return (
    <Card
      title={names[provider]}
      badge={own ? <Badge tone={unavailable ? 'bad' : 'good'} dot>{t('ownKey')}</Badge> : operator ? <Badge tone="accent" dot>{t('operatorKey')}</Badge> : <Badge>{t('noKey')}</Badge>}
      text={own ? ownText(own) : operator ? t('operatorText') : t('noKeyText')}
      actions={
        manages && (
          <>
            {own && <Button small busy={test.pending} onClick={() => void test.run(undefined)}>{t('test')}</Button>}
            <Button small kind={own || operator ? 'plain' : 'primary'} icon="key" onClick={() => setEditing(true)} aria-label={own ? t('replaceOf', { name: names[provider] }) : `${t('add')}: ${names[provider]}`}>
              {own ? t('replace') : t('add')}
            </Button>
            {own && <Button small kind="quiet" icon="trash" busy={remove.pending} onClick={() => void ask()} aria-label={t('deleteOf', { name: names[provider] })}>{t('delete')}</Button>}
          </>
        )
      }
    >
      <FormError failure={test.failure ?? remove.failure} />
      {tested ? <TestResult tested={tested} model={model} busy={test.pending} onModel={model ? () => void test.run(model) : undefined} /> : own && unavailable && !test.pending && <TestResult tested={{ ok: false, code: unavailable.code, message: unavailable.message, provider_code: null, latency_ms: 0 }} />}
      {editing && (
        <KeyDialog
          provider={provider}
          onClose={() => setEditing(false)}
          onDone={() => {
            setEditing(false)
            onChange()
            void test.run(undefined)
          }}
        />
      )}
    </Card>
  )
}

function KeyDialog({ provider, onClose, onDone }: { provider: Provider; onClose: () => void; onDone: () => void }) {
  const [{ key, base }, set, edited] = useSecretForm({ key: '', base: '' })
  const put = useAction(`model-key.put.${provider}`, async (operation, _edited: number) => {
    const body: Schemas['PutModelKeyRequest'] = { api_key: key.trim(), ...(base.trim() && { base_url: base.trim() }) }
    await ok(api.PUT('/v1/model-keys/{provider}', { params: { path: { provider } }, body, ...as(operation) }))
    toast(t('keySaved'))
    onDone()
  })
  const run = () => void put.run(edited)
  return (
    <FormDialog title={t('addOf', { name: names[provider] })} submit={t('saveAndTest')} action={put} onSubmit={run} onClose={onClose}>
      <PasswordField label={t('apiKey')} hint={t('apiKeyHint')} required minLength={8} maxLength={500} autocomplete="off" placeholder={provider === 'openai' ? 'sk-…' : 'sk-ant-…'} value={key} onInput={(key) => set({ key })} error={fieldError(put.failure, 'api_key')} />
      <TextField label={t('baseUrl')} optional hint={t('baseUrlHint')} type="url" dir="ltr" maxLength={2000} placeholder="https://" value={base} onInput={(base) => set({ base })} error={fieldError(put.failure, 'base_url')} />
    </FormDialog>
  )
}

export function EmbeddingCard({ own, onChange }: { own: Schemas['EmbeddingKey'] | null; onChange: () => void }) {
  const [editing, setEditing] = useState(false)
  const [tested, setTested] = useState<Tested | null>(null)
  const test = useAction('embedding-key.test', async (operation) => {
    setTested(null)
    setTested(await ok(api.POST('/v1/model-keys/embedding/test', as(operation))))
  })
  const remove = useAction('embedding-key.delete', async (operation) => {
    await ok(api.DELETE('/v1/model-keys/embedding', as(operation)))
    setTested(null)
    toast(t('keyDeleted'))
    onChange()
  })
  const ask = async () => {
    if (await confirm({ title: t('deleteEmbedding'), text: t('deleteEmbeddingText'), yes: t('delete'), danger: true })) void remove.run()
  }
  return (
    <Card
      title={own ? own.model : t('embeddingNone')}
      badge={own ? <Badge tone="good" dot>{t('ownKey')}</Badge> : <Badge>{t('noKey')}</Badge>}
      text={own ? ownText(own) : t('embeddingNoneText')}
      actions={
        may('models.manage') && (
          <>
            {own && <Button small busy={test.pending} onClick={() => void test.run()}>{t('test')}</Button>}
            <Button small icon="key" onClick={() => setEditing(true)} aria-label={`${own ? t('replace') : t('add')}: ${t('embeddings')}`}>{own ? t('replace') : t('add')}</Button>
            {own && <Button small kind="quiet" icon="trash" busy={remove.pending} onClick={() => void ask()} aria-label={t('deleteEmbedding')}>{t('delete')}</Button>}
          </>
        )
      }
    >
      <FormError failure={test.failure ?? remove.failure} />
      {tested && <TestResult tested={tested} />}
      {editing && (
        <EmbeddingDialog
          own={own}
          onClose={() => setEditing(false)}
          onDone={() => {
            setEditing(false)
            onChange()
            void test.run()
          }}
        />
      )}
    </Card>
  )
}

function EmbeddingDialog({ own, onClose, onDone }: { own: Schemas['EmbeddingKey'] | null; onClose: () => void; onDone: () => void }) {
  const [{ key, model, base, dimensions }, set, edited] = useSecretForm({
    key: '', model: own?.model ?? 'text-embedding-3-small', base: own?.base_url ?? '', dimensions: own?.dimensions ? String(own.dimensions) : '',
  })
  const put = useAction('embedding-key.put', async (operation, _edited: number) => {
    const body: Schemas['PutEmbeddingKeyRequest'] = { api_key: key.trim(), model: model.trim(), ...(base.trim() && { base_url: base.trim() }), ...(dimensions && { dimensions: Number(dimensions) }) }
    await ok(api.PUT('/v1/model-keys/embedding', { body, ...as(operation) }))
    toast(t('keySaved'))
    onDone()
  })
  const run = () => void put.run(edited)
  return (
    <FormDialog title={t('embeddingAdd')} submit={t('saveAndTest')} action={put} onSubmit={run} onClose={onClose}>
      <PasswordField label={t('apiKey')} hint={t('apiKeyHint')} required minLength={8} maxLength={500} autocomplete="off" placeholder="sk-…" value={key} onInput={(key) => set({ key })} error={fieldError(put.failure, 'api_key')} />
      <TextField label={t('model')} required dir="ltr" maxLength={200} value={model} onInput={(model) => set({ model })} error={fieldError(put.failure, 'model')} />
      <TextField label={t('baseUrl')} optional hint={t('baseUrlHint')} type="url" dir="ltr" maxLength={2000} placeholder="https://" value={base} onInput={(base) => set({ base })} error={fieldError(put.failure, 'base_url')} />
      <TextField label={t('dimensions')} optional hint={t('dimensionsHint')} type="number" min={1} max={16000} value={dimensions} onInput={(dimensions) => set({ dimensions })} error={fieldError(put.failure, 'dimensions')} />
    </FormDialog>
  )
}
