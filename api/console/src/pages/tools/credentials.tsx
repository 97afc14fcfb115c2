import type { Schemas } from '../../api/client'
import { fieldError, Icon, Button, PasswordField, Select, TextField } from '../../ui'
import type { Failure } from '../../api/errors'
import { date } from '../../i18n'
import { t } from './messages'

type Given = NonNullable<Schemas['NewToolCredentials']>
export interface CredentialsDraft {
  type: '' | Given['type'] // '': none
  name: string
  value: string
  token: string
  token_url: string
  client_id: string
  client_secret: string
  scope: string
}
export const noCredentials: CredentialsDraft = { type: '', name: '', value: '', token: '', token_url: '', client_id: '', client_secret: '', scope: '' }

// credentialsOf returns the fields of the type; undefined: none are given.
export function credentialsOf(draft: CredentialsDraft): Given | undefined {
  if (!draft.type) return undefined
  if (draft.type === 'header') return { type: draft.type, name: draft.name.trim(), value: draft.value }
  if (draft.type === 'bearer') return { type: draft.type, token: draft.token.trim() }
  const { token_url, client_id, client_secret, scope } = draft
  return { type: draft.type, token_url: token_url.trim(), client_id, client_secret, ...(scope.trim() && { scope: scope.trim() }) }
}

interface Props {
  draft: CredentialsDraft
  set: (to: CredentialsDraft) => void
  failure: Failure | null
}

// CredentialsFields are for credentials that are new. They are written once and never read back.
export function CredentialsFields({ draft, set, failure }: Props) {
  const error = (field: string) => fieldError(failure, `credentials.${field}`)
  const edit = (field: keyof CredentialsDraft) => (to: string) => set({ ...draft, [field]: to })
  const whole = failure?.fields.credentials
  const secret = { required: true, autocomplete: 'off', maxLength: 4096 } as const
  return (
    <>
      <Select
        label={t('credentials')} hint={draft.type ? t('secretHint') : t('noCredentialsHint')} error={error('type') ?? whole} value={draft.type} onChange={(type) => set({ ...draft, type: type as CredentialsDraft['type'] })}
        options={[{ value: '', label: t('cred_none') }, { value: 'header', label: t('cred_header') }, { value: 'bearer', label: t('cred_bearer') }, { value: 'oauth_client_credentials', label: t('cred_oauth') }]}
      />
      {draft.type === 'header' && (
        <div class="fields">
          <TextField label={t('header')} placeholder="X-Api-Key" dir="ltr" required maxLength={64} spellcheck={false} autocomplete="off" value={draft.name} onInput={edit('name')} error={error('name')} />
          <PasswordField label={t('value')} {...secret} value={draft.value} onInput={edit('value')} error={error('value')} />
        </div>
      )}
      {draft.type === 'bearer' && <PasswordField label={t('token')} {...secret} value={draft.token} onInput={edit('token')} error={error('token')} />}
      {draft.type === 'oauth_client_credentials' && (
        <>
          <TextField label={t('tokenURL')} type="url" dir="ltr" placeholder="https://" required maxLength={2000} value={draft.token_url} onInput={edit('token_url')} error={error('token_url')} />
          <div class="fields">
            <TextField label={t('clientId')} dir="ltr" required maxLength={500} autocomplete="off" spellcheck={false} value={draft.client_id} onInput={edit('client_id')} error={error('client_id')} />
            <PasswordField label={t('clientSecret')} {...secret} value={draft.client_secret} onInput={edit('client_secret')} error={error('client_secret')} />
          </div>
          <TextField label={t('scope')} optional dir="ltr" maxLength={1000} spellcheck={false} value={draft.scope} onInput={edit('scope')} error={error('scope')} />
        </>
      )}
    </>
  )
}

interface SetProps {
  set: NonNullable<Schemas['Tool']['credentials']>
  onReplace?: () => void
  onRemove?: () => void
}

// CredentialsSet says which credentials a tool has, without what they are.
export function CredentialsSet({ set, onReplace, onRemove }: SetProps) {
  return (
    <div class="credentials-set">
      <Icon name="key" />
      <div>
        <b>{t(set.type === 'oauth_client_credentials' ? 'cred_oauth' : `cred_${set.type}`)}</b>
        <p class="hint">{t('credentialsSet', { origin: set.origin, date: date(set.created_at) })}</p>
      </div>
      {onReplace && <Button small onClick={onReplace}>{t('replace')}</Button>}
      {onRemove && <Button small kind="quiet" onClick={onRemove}>{t('remove')}</Button>}
    </div>
  )
}
