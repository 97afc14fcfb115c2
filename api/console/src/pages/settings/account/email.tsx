import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../../api/client'
import { useAction } from '../../../api/hooks'
import { as } from '../../../api/operation'
import { me, reloadMe } from '../../../api/session'
import { language } from '../../../i18n'
import { Badge, Button, Dialog, fieldError, Fresh, Notice, PasswordField, TextField, toast, useSecretForm } from '../../../ui'
import { Card } from '../card'
import { t } from './messages'

export function Email() {
  const [open, setOpen] = useState<'change' | 'verify' | null>(null)
  const { email = '', email_verified: verified, email_proof: proof } = me.value ?? {}
  const byLink = verified && proof === 'link'
  return (
    <>
      <Card
        title={t('email')}
        badge={byLink ? <Badge tone="warn" dot>{t('verifiedByLink')}</Badge> : verified ? <Badge tone="good" dot>{t('verified')}</Badge> : <Badge tone="warn" dot>{t('notVerified')}</Badge>}
        text={
          <>
            <b dir="auto">{email}</b>
            <br />
            {t(byLink ? 'linkHint' : 'emailHint')}
          </>
        }
        actions={
          <>
            {(!verified || byLink) && <Button small onClick={() => setOpen('verify')}>{t('verify')}</Button>}
            <Button small aria-label={t('changeEmailOf')} onClick={() => setOpen('change')}>{t('changeEmail')}</Button>
          </>
        }
      />
      {open === 'change' && <ChangeDialog onClose={() => setOpen(null)} />}
      {open === 'verify' && <VerifyDialog email={email} onClose={() => setOpen(null)} />}
    </>
  )
}

function ChangeDialog({ onClose }: { onClose: () => void }) {
  const [values, set, edited] = useSecretForm({ email: '', password: '' })
  const change = useAction('email.change', async (operation, _edited: number) => {
    await ok(api.POST('/v1/auth/email/change', { body: { email: values.email.trim(), password: values.password }, ...as(operation, { 'Accept-Language': language.value }) }))
    toast(t('linksSent'))
    onClose()
  })
  const run = () => void change.run(edited)
  const wrong = change.failure?.code === 'INVALID_CREDENTIALS'
  return (
    <Dialog
      title={t('changeEmailOf')}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="primary" type="submit" form="change-email" busy={change.pending}>
            {t('sendLinks')}
          </Button>
        </>
      }
    >
      <form id="change-email" onSubmit={(e) => (e.preventDefault(), run())}>
        {!wrong && <Fresh failure={change.failure} onDone={run} />}
        <TextField label={t('newEmail')} hint={t('changeEmailHint')} type="email" required maxLength={320} autocomplete="email" value={values.email} onInput={(to) => set({ email: to })} error={fieldError(change.failure, 'email')} />
        <PasswordField label={t('password')} required maxLength={128} autocomplete="current-password" value={values.password} onInput={(to) => set({ password: to })} error={wrong ? t('wrongPassword') : fieldError(change.failure, 'password')} />
      </form>
    </Dialog>
  )
}

function VerifyDialog({ email, onClose }: { email: string; onClose: () => void }) {
  const [sent, setSent] = useState(false)
  const [code, setCode] = useState('')
  const send = useAction('email.resend', async (operation) => {
    await ok(api.POST('/v1/auth/email/resend', { body: {}, ...as(operation, { 'Accept-Language': language.value }) }))
    setSent(true)
  })
  const verify = useAction('email.verify', async (operation, body: Schemas['VerifyEmailRequest']) => {
    await ok(api.POST('/v1/auth/email/verify', { body, ...as(operation) }))
    await reloadMe()
    toast(t('emailVerified'))
    onClose()
  })
  const run = () => void verify.run({ code: code.trim() })
  return (
    <Dialog
      title={t('verifyTitle')}
      onClose={onClose}
      footer={
        <>
          <Button busy={send.pending} onClick={() => void send.run()}>{t(sent ? 'resend' : 'sendCode')}</Button>
          <Button kind="primary" type="submit" form="verify-email" busy={verify.pending} disabled={!/^\d{6}$/.test(code.trim())}>
            {t('confirm')}
          </Button>
        </>
      }
    >
      <form id="verify-email" onSubmit={(e) => (e.preventDefault(), run())}>
        <Fresh failure={send.failure} onDone={() => void send.run()} />
        <Fresh failure={verify.failure} onDone={run} />
        <p dir="auto">{t('verifyText', { email })}</p>
        {sent && <Notice icon="check"><p role="status">{t('codeSent')}</p></Notice>}
        <TextField label={t('emailCode')} required inputMode="numeric" autocomplete="one-time-code" dir="ltr" maxLength={6} value={code} onInput={setCode} error={fieldError(verify.failure, 'code')} />
      </form>
    </Dialog>
  )
}
