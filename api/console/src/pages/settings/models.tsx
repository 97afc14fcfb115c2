import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { useAction, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { Failure } from '../../api/errors'
import { Button, fieldError, FormError, IconButton, Notice, Reading, Section, Select, toast } from '../../ui'
import { EmbeddingCard, ProviderCard } from './keys'
import { t } from './messages'

export type Provider = 'openai' | 'anthropic'

export function Models() {
  const [warnings, setWarnings] = useState<Schemas['Warning'][]>([])
  const all = useQuery('models', async (signal) => {
    const [keys, settings, models, embedding] = await Promise.all([
      ok(api.GET('/v1/model-keys', { signal })),
      ok(api.GET('/v1/model-settings', { signal })),
      ok(api.GET('/v1/models', { signal })),
      ok(api.GET('/v1/model-keys/embedding', { signal })).catch((thrown) => {
        if (thrown instanceof Failure && thrown.status === 404) return null
        throw thrown
      }),
    ])
    return { keys: keys.items, settings, models, embedding }
  })
  const data = all.data
  if (!data) return <Reading of={all} lines={6} tall />
  const answering = data.keys.length > 0 || data.models.items.some((m) => m.provider !== 'echo') || data.models.patterns.some((p) => p !== 'echo')
  return (
    <>
      {!answering && (
        <Notice tone="warn" icon="key">
          <b>{t('echoTitle')}</b>
          <p>{may('models.manage') ? t('echoText') : t('echoTextOthers')}</p>
        </Notice>
      )}
      <Section title={t('keys')} hint={t('keysHint')}>
        {(['openai', 'anthropic'] as const).map((provider) => (
          <ProviderCard
            key={provider}
            provider={provider}
            onChange={all.reload}
            own={data.keys.find((k) => k.provider === provider)}
            operator={data.models.items.some((m) => m.provider === provider && m.source === 'operator') || data.models.patterns.some((p) => p.startsWith(`${provider}/`))}
            unavailable={data.models.unavailable.find((u) => u.provider === provider)}
            model={data.settings.default_model?.startsWith(`${provider}/`) ? data.settings.default_model : undefined}
          />
        ))}
      </Section>
      <Section title={t('defaultTitle')} hint={t('defaultHint')}>
        <div class="card">
          <Defaults key={JSON.stringify(data.settings)} settings={data.settings} models={data.models} onChange={all.reload} warnings={warnings} onWarnings={setWarnings} />
        </div>
      </Section>
      <Section title={t('embeddings')} hint={t('embeddingsHint')}>
        <EmbeddingCard own={data.embedding} onChange={all.reload} />
      </Section>
    </>
  )
}

function Defaults({ settings, models, onChange, warnings, onWarnings }: { settings: Schemas['ModelSettings']; models: Schemas['UsableModelList']; onChange: () => void; warnings: Schemas['Warning'][]; onWarnings: (to: Schemas['Warning'][]) => void }) {
  const [model, setModel] = useState(settings.default_model ?? '')
  const [fallbacks, setFallbacks] = useState(settings.fallbacks)
  const save = useAction('model-settings.put', async (operation, body: Schemas['PutModelSettingsRequest']) => {
    const saved = await ok(api.PUT('/v1/model-settings', { body, ...as(operation) }))
    onWarnings(saved.warnings ?? [])
    toast(t('saved'))
    onChange()
  })
  const ids = models.items.map((m) => m.id)
  const known = [...new Set([...(model ? [model] : []), ...ids])]
  const free = ids.filter((id) => id !== model && !fallbacks.includes(id))
  const changed = model !== (settings.default_model ?? '') || fallbacks.join() !== settings.fallbacks.join()
  const manages = may('models.manage')
  const run = () => void save.run({ default_model: model || null, fallbacks })
  return (
    <form onSubmit={(e) => (e.preventDefault(), run())}>
      <FormError failure={save.failure} onRetry={run} />
      {warnings.map((w) => (
        <Notice key={w.field + w.code} tone="warn" icon="alert">
          {w.message}
        </Notice>
      ))}
      <Select label={t('defaultModel')} value={model} disabled={!manages} onChange={setModel} error={fieldError(save.failure, 'default_model')} options={[{ value: '', label: t('operatorDefault') }, ...known.map((id) => ({ value: id, label: id === 'echo' ? t('echoOption') : id }))]} />
      {fallbacks.length > 0 && (
        <div class="field">
          <b>{t('fallbacks')}</b>
          <ol class="chips">
            {fallbacks.map((id) => (
              <li key={id}>
                <code>{id}</code>
                {manages ? <IconButton small icon="x" label={t('removeFallback', { model: id })} onClick={() => setFallbacks(fallbacks.filter((x) => x !== id))} /> : <span />}
              </li>
            ))}
          </ol>
        </div>
      )}
      {manages && (free.length > 0 || fallbacks.length > 0) && (
        <Select label={fallbacks.length ? t('addFallback') : t('fallback')} hint={t('fallbackHint')} value="" disabled={!free.length} onChange={(id) => id && setFallbacks([...fallbacks, id])} error={fieldError(save.failure, 'fallbacks')} options={[{ value: '', label: t('none') }, ...free.map((id) => ({ value: id, label: id }))]} />
      )}
      {manages && (
        <div class="save">
          <Button kind="primary" type="submit" busy={save.pending} disabled={!changed}>
            {t('save')}
          </Button>
        </div>
      )}
    </form>
  )
}
