import { useEffect, useRef, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../api/client'
import { asFailure, type Failure } from '../api/errors'
import { as, uuid } from '../api/operation'
import { deviceToken, signedIn } from '../api/session'
import { Button, FormError, TextField } from '../ui'
import { t } from './messages'

export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · Parley`
  }, [title])
}

// device names this browser, so that others cannot delay its log-ins.
export const device = () => {
  const token = deviceToken()
  return token ? { 'X-Device-Token': token } : ({} as Record<string, string>)
}

// useOpening does a step that opens a session, and the second factor after it where the account has one. Secrets are neither stored nor hashed: what was
// sent, and the operation id of it, are in memory alone.
export function useOpening<B>(step: (operation: string, body: B) => Promise<Schemas['TokenPair']>, onDone?: (pair: Schemas['TokenPair']) => void) {
  const [state, set] = useState<{ pending: boolean; failure: Failure | null; ticket: string | null }>({ pending: false, failure: null, ticket: null })
  const sent = useRef({ operation: '', body: '' })
  const busy = useRef(false)
  const attempt = async (open: () => Promise<Schemas['TokenPair']>) => {
    if (busy.current) return
    busy.current = true
    set((s) => ({ ...s, pending: true, failure: null }))
    try {
      const pair = await open()
      await signedIn(pair)
      sent.current.operation = ''
      onDone?.(pair)
      set({ pending: false, failure: null, ticket: null })
    } catch (thrown) {
      const failure = asFailure(thrown)
      if (failure.settled) sent.current.operation = ''
      if (failure.code === 'SECOND_FACTOR_REQUIRED') set({ pending: false, failure: null, ticket: String(failure.details?.ticket) })
      else set((s) => ({ pending: false, failure, ticket: failure.code === 'INVALID_TICKET' ? null : s.ticket }))
    } finally {
      busy.current = false
    }
  }
  return {
    ...state,
    run: (body: B) =>
      attempt(() => {
        const { operation, body: before } = sent.current
        const now = JSON.stringify(body)
        sent.current = { operation: operation && before === now ? operation : uuid(), body: now }
        return step(sent.current.operation, body)
      }),
    factor: (code: string) => attempt(() => ok(api.POST('/v1/auth/login/factor', { body: { ticket: state.ticket ?? '', code }, ...as(uuid(), device()) }))),
    back: () => set({ pending: false, failure: null, ticket: null }),
  }
}

type Opening = Pick<ReturnType<typeof useOpening>, 'factor' | 'back' | 'pending' | 'failure'>

export function FactorForm({ opening }: { opening: Opening }) {
  const [code, setCode] = useState('')
  useTitle(t('codeTitle'))
  return (
    <form class="auth-form" onSubmit={(e) => (e.preventDefault(), void opening.factor(code.trim()))}>
      <h1>{t('codeTitle')}</h1>
      <p class="lead">{t('codeLead')}</p>
      <FormError failure={opening.failure} />
      <TextField label={t('code')} value={code} onInput={setCode} required autoFocus autocomplete="one-time-code" inputMode="text" spellcheck={false} maxLength={40} dir="ltr" />
      <Button kind="primary" type="submit" busy={opening.pending}>
        {t('confirm')}
      </Button>
      <Button kind="quiet" onClick={opening.back}>
        {t('back')}
      </Button>
    </form>
  )
}
