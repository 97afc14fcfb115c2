import { useState } from 'preact/hooks'
import { api, ok } from '../api/client'
import type { Failure } from '../api/errors'
import { useAction } from '../api/hooks'
import { as } from '../api/operation'
import { Button } from './button'
import { PasswordField, TextField } from './form'
import { t } from './messages'
import { FormError } from './states'

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
