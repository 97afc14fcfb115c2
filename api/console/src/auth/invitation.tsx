import { useEffect, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../api/client'
import { as } from '../api/operation'
import { chooseWorkspace, me } from '../api/session'
import { Link, navigate } from '../router'
import { Button, fieldError, FormError, PasswordField, TextField } from '../ui'
import { t } from './messages'
import { device, FactorForm, useOpening, useTitle } from './opening'

// AcceptInvitation takes the token of an invitation: of the part of the link behind #, which browsers send to no server, or typed in.
export function AcceptInvitation() {
  const [linked, setLinked] = useState(() => location.hash.slice(1))
  const [typed, setTyped] = useState('')
  const [password, setPassword] = useState('')
  const opening = useOpening(
    (operation: string, body: Schemas['AcceptInvitationRequest']) => ok(api.POST('/v1/invitations/accept', { body, ...as(operation, device()) })),
    (pair) => {
      if (pair.workspace_id) chooseWorkspace(pair.workspace_id)
      void navigate('/', { replace: true, force: true })
    },
  )
  useEffect(() => {
    // The token stays neither in the address nor in the history. Another link may be opened over this page.
    const take = () => {
      const token = location.hash.slice(1)
      if (!token) return
      setLinked(token)
      history.replaceState(history.state, '', location.pathname + location.search)
    }
    take()
    addEventListener('hashchange', take)
    return () => removeEventListener('hashchange', take)
  }, [])
  useTitle(t('acceptTitle'))
  if (opening.ticket) return <FactorForm opening={opening} />
  return (
    <>
      <form class="auth-form" onSubmit={(e) => (e.preventDefault(), void opening.run({ token: linked || typed.trim(), password }))}>
        <h1>{t('acceptTitle')}</h1>
        <p class="lead">{t('acceptLead')}</p>
        <FormError failure={opening.failure} />
        {!linked && <TextField label={t('invitationToken')} required autocomplete="off" spellcheck={false} dir="ltr" maxLength={200} value={typed} onInput={setTyped} error={fieldError(opening.failure, 'token')} />}
        <PasswordField label={t('password')} hint={t('acceptHint')} autocomplete="current-password" required maxLength={128} value={password} onInput={setPassword} error={fieldError(opening.failure, 'password')} />
        <Button kind="primary" type="submit" busy={opening.pending}>
          {t('accept')}
        </Button>
      </form>
      <p class="auth-other">
        <Link to="/">{me.value ? t('notNow') : t('toSignIn')}</Link>
      </p>
    </>
  )
}
