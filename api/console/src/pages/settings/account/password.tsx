import { useState } from 'preact/hooks'
import { api, ok } from '../../../api/client'
import { invalidate, useAction } from '../../../api/hooks'
import { as } from '../../../api/operation'
import { me } from '../../../api/session'
import { language } from '../../../i18n'
import { Button, Dialog, fieldError, FormError, Fresh, PasswordField, toast, useSecretForm } from '../../../ui'
import { Card } from '../card'
import { t } from './messages'

export function Password() {
  const [open, setOpen] = useState(false)
  // A server of the release before, which may answer during an upgrade, does not say it.
  if (me.value?.has_password === false) return <FirstPassword email={me.value.email} />
  return (
    <>
      <Card title={t('password')} text={t('passwordHint')} actions={<Button small aria-label={t('changePasswordOf')} onClick={() => setOpen(true)}>{t('changePassword')}</Button>} />
      {open && <PasswordDialog onClose={() => setOpen(false)} />}
    </>
  )
}

// FirstPassword sends the link that sets the password of an account without one.
function FirstPassword({ email }: { email: string }) {
  const send = useAction('password.link', async (operation) => {
    await ok(api.POST('/v1/auth/password/forgot', { body: { email }, ...as(operation, { 'Accept-Language': language.value }) }))
    toast(t('linkSent'))
  })
  return (
    <Card title={t('password')} text={t('noPassword', { email })} actions={<Button small busy={send.pending} onClick={() => void send.run()}>{t('setPassword')}</Button>}>
      <FormError failure={send.failure} onRetry={() => void send.run()} />
    </Card>
  )
}

function PasswordDialog({ onClose }: { onClose: () => void }) {
  const [values, set, edited] = useSecretForm({ current: '', next: '' })
  const change = useAction('password.change', async (operation, _edited: number) => {
    await ok(api.PUT('/v1/auth/password', { body: { current_password: values.current, new_password: values.next }, ...as(operation) }))
    invalidate('sessions')
    toast(t('passwordChanged'))
    onClose()
  })
  const run = () => void change.run(edited)
  const wrong = change.failure?.code === 'INVALID_CREDENTIALS'
  return (
    <Dialog
      title={t('changePasswordOf')}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="primary" type="submit" form="change-password" busy={change.pending}>
            {t('change')}
          </Button>
        </>
      }
    >
      <form id="change-password" onSubmit={(e) => (e.preventDefault(), run())}>
        {!wrong && <Fresh failure={change.failure} onDone={run} />}
        <PasswordField label={t('currentPassword')} required maxLength={128} autocomplete="current-password" value={values.current} onInput={(to) => set({ current: to })} error={wrong ? t('wrongPassword') : fieldError(change.failure, 'current_password')} />
        <PasswordField label={t('newPassword')} hint={t('newPasswordHint')} required minLength={8} maxLength={128} autocomplete="new-password" value={values.next} onInput={(to) => set({ next: to })} error={fieldError(change.failure, 'new_password')} />
      </form>
    </Dialog>
  )
}
