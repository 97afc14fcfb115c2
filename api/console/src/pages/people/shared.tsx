import { useState } from 'preact/hooks'
import { api, ok } from '../../api/client'
import type { Failure } from '../../api/errors'
import { useAction } from '../../api/hooks'
import { as } from '../../api/operation'
import { here, type Role } from '../../api/session'
import { Button, CopyButton, FormError, PasswordField, TextField } from '../../ui'
import { t } from './messages'

export const roles: Role[] = ['viewer', 'editor', 'admin', 'owner']

// mayGive tells whether the person may give a role: none above the own one.
export const mayGive = (role: Role) => roles.indexOf(role) <= roles.indexOf(here.value?.role ?? 'viewer')

export const roleOptions = () => roles.filter(mayGive).map((r) => ({ value: r, label: t(r) }))
export const roleHint = (role: string) => t(`${role}Hint` as 'viewerHint')

// Secret shows what is shown only once.
export function Secret({ text, label }: { text: string; label: string }) {
  return (
    <div class="secret" role="group" aria-label={label}>
      <code dir="ltr">{text}</code>
      <CopyButton text={text}>{t('copy')}</CopyButton>
    </div>
  )
}

// Fresh asks for the password where a call needs a fresh authentication, and then goes on; other failures it shows.
export function Fresh({ failure, onDone }: { failure: Failure | null; onDone: () => void }) {
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const renew = useAction('auth.reauthenticate', async (operation) => {
    await ok(api.POST('/v1/auth/reauthenticate', { body: { password, ...(code && { code: code.replace(/\s/g, '') }) }, ...as(operation) }))
    onDone()
  })
  if (failure?.code !== 'REAUTHENTICATION_REQUIRED') return <FormError failure={failure} onRetry={onDone} />
  return (
    <div
      class="card stacked"
      role="group"
      aria-label={t('freshTitle')}
      onKeyDown={(e) => {
        // A form around it must not be sent.
        if (e.key !== 'Enter' || !(e.target instanceof HTMLInputElement)) return
        e.preventDefault()
        if (password) void renew.run()
      }}
    >
      <p>
        <b>{t('freshTitle')}</b>
      </p>
      <FormError failure={renew.failure} />
      <PasswordField label={t('password')} autocomplete="current-password" value={password} onInput={setPassword} />
      <TextField label={t('code')} inputMode="numeric" autocomplete="one-time-code" value={code} onInput={setCode} />
      <div class="buttons">
        <Button busy={renew.pending} disabled={!password} onClick={() => void renew.run()}>
          {t('freshGo')}
        </Button>
      </div>
    </div>
  )
}
