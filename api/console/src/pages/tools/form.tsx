import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import { fieldError, Section, Select, TextArea, TextField } from '../../ui'
import type { Failure } from '../../api/errors'
import { Arguments } from './arguments'
import { methods, type Draft } from './draft'
import { t } from './messages'

interface ChoiceProps<T extends string> {
  label: string
  value: T
  options: { value: T; label: string; text: string }[]
  error?: string | undefined
  onChange: (to: T) => void
}

// Choice is one of a few things, each with a sentence that explains it.
function Choice<T extends string>({ label, value, options, error, onChange }: ChoiceProps<T>) {
  const id = useId()
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      <div>
        {options.map((o) => (
          <label key={o.value} class={o.value === value ? 'chosen' : ''}>
            <input type="radio" name={id} value={o.value} checked={o.value === value} onChange={() => onChange(o.value)} />
            <span>
              <b>{o.label}</b>
              <small>{o.text}</small>
            </span>
          </label>
        ))}
      </div>
      {error && <p class="field-error" role="alert">{error}</p>}
    </fieldset>
  )
}

interface FormProps {
  draft: Draft
  set: (part: Partial<Draft>) => void
  failure: Failure | null
  named?: boolean // the tool exists: its kind and its name never change
  edition?: number // of the editor of the arguments: another one begins anew
  credentials: ComponentChildren
}

// ToolFields are the fields of a definition.
export function ToolFields({ draft, set, failure, named, edition, credentials }: FormProps) {
  const error = (field: string) => fieldError(failure, field)
  const edit = (field: keyof Draft) => (to: string) => set({ [field]: to })
  const taken = failure?.code === 'TOOL_NAME_TAKEN' ? t('nameTaken') : undefined
  const http = draft.kind === 'http'
  return (
    <>
      {!named && (
        <Choice
          label={t('kindQuestion')} value={draft.kind} error={error('kind')} onChange={(kind) => set({ kind })}
          options={[{ value: 'http', label: t('kind_http'), text: t('kindText_http') }, { value: 'client', label: t('kind_client'), text: t('kindText_client') }]}
        />
      )}
      {!named && <TextField label={t('name')} hint={t('nameHint')} placeholder="get_order" class="input mono" dir="ltr" required maxLength={64} spellcheck={false} autocomplete="off" value={draft.name} onInput={edit('name')} error={taken ?? error('name')} />}
      <TextArea label={t('description')} hint={t('descriptionHint')} placeholder={t('descriptionPlaceholder')} rows={4} required maxLength={4000} value={draft.description} onInput={edit('description')} error={error('description')} />
      <Choice
        label={t('effectQuestion')} value={draft.effect} error={error('effect')}
        onChange={(effect) => set({ effect, ...(effect === 'write' && draft.method === 'GET' && { method: 'POST' }) })}
        options={[{ value: 'read', label: t('effect_read'), text: t('effectText_read') }, { value: 'write', label: t('effect_write'), text: t('effectText_write') }]}
      />
      <Arguments key={edition} text={draft.schema} error={error('schema')} onChange={edit('schema')} />
      {draft.kind !== 'client' && (
        <Section title={http ? t('request') : t('server')} hint={http ? t('requestHint') : t('serverHint')}>
          <div class="stacked-fields">
            <div class={http ? 'request-line' : ''}>
              {http && <Select label={t('method')} value={draft.method} onChange={edit('method')} options={methods.map((m) => ({ value: m, label: m }))} error={error('method')} />}
              <TextField label="URL" class="input mono" dir="ltr" required maxLength={2000} spellcheck={false} placeholder="https://shop.example.com/api/orders/{order_id}" value={draft.url} onInput={edit('url')} error={error('url')} />
            </div>
            {credentials}
          </div>
        </Section>
      )}
      <details class="more-fields" open={!!(error('timeout_ms') ?? error('max_output_bytes') ?? error('redact') ?? error('idempotency_header'))}>
        <summary>{t('limits')}</summary>
        <div class="stacked-fields">
          <div class="fields">
            <TextField label={t('timeout')} hint={t('timeoutHint')} type="number" min={100} max={60000} required value={draft.timeout_ms} onInput={edit('timeout_ms')} error={error('timeout_ms')} />
            <TextField label={t('maxOutput')} hint={t('maxOutputHint')} type="number" min={1} max={1048576} required value={draft.max_output_bytes} onInput={edit('max_output_bytes')} error={error('max_output_bytes')} />
          </div>
          {draft.kind !== 'client' && <TextField label={t('redact')} hint={t('redactHint')} optional placeholder="card_number, iban" spellcheck={false} value={draft.redact} onInput={edit('redact')} error={error('redact')} />}
          {http && <TextField label={t('idempotency')} hint={t('idempotencyHint')} optional dir="ltr" placeholder="Idempotency-Key" maxLength={64} spellcheck={false} value={draft.idempotency_header} onInput={edit('idempotency_header')} error={error('idempotency_header')} />}
        </div>
      </details>
    </>
  )
}
