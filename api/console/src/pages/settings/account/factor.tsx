import type { FunctionComponent } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../../api/client'
import { invalidate, useAction, useQuery } from '../../../api/hooks'
import { as } from '../../../api/operation'
import { Badge, Button, CopyButton, Dialog, ErrorState, fieldError, Fresh, Icon, messageOf, Notice, Secret, Skeleton, TextField, toast } from '../../../ui'
import { Card } from '../card'
import { t } from './messages'

export function Factor() {
  const [open, setOpen] = useState<'setUp' | 'codes' | 'remove' | null>(null)
  const factors = useQuery('factors', (signal) => ok(api.GET('/v1/auth/factors', { signal })))
  if (!factors.data) return factors.failure ? <ErrorState failure={factors.failure} onRetry={factors.reload} /> : <Skeleton lines={2} />
  const on = !!factors.data.totp?.confirmed_at
  const close = () => {
    setOpen(null)
    factors.reload()
    invalidate('sessions')
  }
  return (
    <>
      <Card
        title={t('factor')}
        badge={on ? <Badge tone="good" dot>{t('factorOn')}</Badge> : <Badge>{t('factorOff')}</Badge>}
        text={on ? t('factorOnText', { n: factors.data.recovery_codes_left }) : t('factorOffText')}
        actions={
          on ? (
            <>
              <Button small onClick={() => setOpen('codes')}>{t('newCodes')}</Button>
              <Button small kind="quiet" icon="trash" aria-label={t('removeFactor')} onClick={() => setOpen('remove')}>{t('remove')}</Button>
            </>
          ) : (
            <Button small icon="shield" onClick={() => setOpen('setUp')}>{t('setUp')}</Button>
          )
        }
      />
      {open === 'setUp' && <SetUp onClose={close} />}
      {open === 'codes' && <NewCodes onClose={close} />}
      {open === 'remove' && <Remove onClose={close} />}
    </>
  )
}

function SetUp({ onClose }: { onClose: () => void }) {
  const [secret, setSecret] = useState<Schemas['TotpSecret'] | null>(null)
  const [codes, setCodes] = useState<string[] | null>(null)
  const [code, setCode] = useState('')
  const create = useAction('factor.create', async (operation) => setSecret(await ok(api.POST('/v1/auth/factors/totp', { body: {}, ...as(operation) }))))
  const confirm = useAction('factor.confirm', async (operation, code: string) => setCodes((await ok(api.POST('/v1/auth/factors/totp/confirm', { body: { code }, ...as(operation) }))).recovery_codes))
  const run = () => void confirm.run(code.replace(/\s/g, ''))
  if (codes) return <Codes codes={codes} onClose={onClose} />
  if (!secret) {
    return (
      <Dialog title={t('setUpTitle')} onClose={onClose} footer={<><Button onClick={onClose}>{t('cancel')}</Button><Button kind="primary" busy={create.pending} onClick={() => void create.run()}>{t('setUp')}</Button></>}>
        <div class="stacked">
          <Fresh failure={create.failure} onDone={() => void create.run()} />
          <p>{t('factorOffText')}</p>
        </div>
      </Dialog>
    )
  }
  const wrong = confirm.failure?.code === 'WRONG_CODE'
  return (
    <Dialog
      title={t('setUpTitle')}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="primary" type="submit" form="factor" busy={confirm.pending}>
            {t('turnOn')}
          </Button>
        </>
      }
    >
      <form id="factor" onSubmit={(e) => (e.preventDefault(), run())}>
        {!wrong && <Fresh failure={confirm.failure} onDone={run} />}
        <p>{t('stepApp')}</p>
        <Code text={secret.uri} />
        <a class="button plain" href={secret.uri}>
          <Icon name="shield" />
          <span class="label">{t('openApp')}</span>
        </a>
        <div>
          <Secret label={t('secret')} text={secret.secret} />
          <p class="hint">{t('onceSecret')}</p>
        </div>
        <TextField label={t('stepCode')} required inputMode="numeric" autocomplete="one-time-code" dir="ltr" maxLength={10} value={code} onInput={setCode} error={wrong && confirm.failure ? messageOf(confirm.failure) : fieldError(confirm.failure, 'code')} />
      </form>
    </Dialog>
  )
}

// Code is the QR code of a text. What draws it is loaded where it is shown; without it the secret is entered by hand.
function Code({ text }: { text: string }) {
  const [QrCode, setQrCode] = useState<FunctionComponent<{ text: string; label: string }> | null>(null)
  const [failed, setFailed] = useState(false)
  useEffect(() => void import('./qr-code').then((module) => setQrCode(() => module.default), () => setFailed(true)), [])
  if (failed) return null
  return <div class="qr-box">{QrCode && <QrCode text={text} label={t('qrCode')} />}</div>
}

function Codes({ codes, onClose }: { codes: string[]; onClose: () => void }) {
  return (
    <Dialog fixed title={t('codesTitle')} onClose={onClose} footer={<><CopyButton text={codes.join('\n')}>{t('copyCodes')}</CopyButton><Button kind="primary" onClick={onClose}>{t('stored')}</Button></>}>
      <div class="stacked">
        <p>{t('codesText')}</p>
        <ul class="recovery" aria-label={t('codesTitle')}>
          {codes.map((c) => (
            <li key={c}>
              <code>{c}</code>
            </li>
          ))}
        </ul>
        <Notice tone="warn" icon="key">{t('onceCodes')}</Notice>
      </div>
    </Dialog>
  )
}

function NewCodes({ onClose }: { onClose: () => void }) {
  const [codes, setCodes] = useState<string[] | null>(null)
  const create = useAction('factor.codes', async (operation) => setCodes((await ok(api.POST('/v1/auth/factors/recovery-codes', { body: {}, ...as(operation) }))).recovery_codes))
  if (codes) return <Codes codes={codes} onClose={onClose} />
  return (
    <Dialog title={t('newCodesTitle')} onClose={onClose} footer={<><Button onClick={onClose}>{t('cancel')}</Button><Button kind="primary" busy={create.pending} onClick={() => void create.run()}>{t('create')}</Button></>}>
      <div class="stacked">
        <Fresh failure={create.failure} onDone={() => void create.run()} />
        <p>{t('newCodesText')}</p>
      </div>
    </Dialog>
  )
}

function Remove({ onClose }: { onClose: () => void }) {
  const remove = useAction('factor.delete', async (operation) => {
    await ok(api.DELETE('/v1/auth/factors/totp', as(operation)))
    toast(t('factorRemoved'))
    onClose()
  })
  return (
    <Dialog title={t('removeFactorTitle')} onClose={onClose} footer={<><Button onClick={onClose}>{t('cancel')}</Button><Button kind="danger" busy={remove.pending} onClick={() => void remove.run()}>{t('remove')}</Button></>}>
      <div class="stacked">
        <Fresh failure={remove.failure} onDone={() => void remove.run()} />
        <p>{t('removeFactorText')}</p>
      </div>
    </Dialog>
  )
}
