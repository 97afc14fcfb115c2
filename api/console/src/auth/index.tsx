// Sign-in, registration, the second factor and a forgotten password. The links of emails open pages of the server, at /account.
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../api/client'
import { useAction, useQuery } from '../api/hooks'
import { as } from '../api/operation'
import { here, me, signOut } from '../api/session'
import { language, languages, setLanguage } from '../i18n'
import { Brand } from '../layout/shell'
import { Link, navigate, query } from '../router'
import { Button, Dialog, fieldError, FormError, Icon, PasswordField, TextField } from '../ui'
import { t } from './messages'
import { device, FactorForm, useOpening, useTitle } from './opening'

export function AuthPages({ path }: { path: string }) {
  return path === '/register' ? <Register /> : path === '/forgot' ? <Forgot /> : path === '/signed-in' ? <SignedIn /> : <SignIn />
}

export function AuthFrame({ children }: { children: ComponentChildren }) {
  return (
    <div class="auth">
      <header>
        <Brand />
        <div class="languages">
          {languages.map((l) => (
            <button type="button" key={l.id} lang={l.id} aria-pressed={language.value === l.id} onClick={() => setLanguage(l.id)}>
              {l.name}
            </button>
          ))}
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <div class="auth-card">{children}</div>
      </main>
    </div>
  )
}

const logIn = (operation: string, body: Schemas['LoginRequest']) => ok(api.POST('/v1/auth/login', { body, ...as(operation, device()) }))

function SignIn() {
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const opening = useOpening(logIn)
  useTitle(t('signIn'))
  if (opening.ticket) return <FactorForm opening={opening} />
  return (
    <>
      <form class="auth-form" onSubmit={(e) => (e.preventDefault(), void opening.run({ email: email.trim(), password }))}>
        <h1>{t('signInTitle')}</h1>
        <FormError failure={opening.failure} />
        <TextField label={t('email')} type="email" autocomplete="username" required autoFocus maxLength={320} value={email} onInput={setEmail} error={fieldError(opening.failure, 'email')} />
        <PasswordField label={t('password')} autocomplete="current-password" required maxLength={128} value={password} onInput={setPassword} error={fieldError(opening.failure, 'password')} />
        <Button kind="primary" type="submit" busy={opening.pending}>
          {t('signIn')}
        </Button>
        <Link class="aside" to="/forgot">
          {t('forgot')}
        </Link>
      </form>
      <Providers />
      <p class="auth-other">
        {t('noAccount')} <Link to="/register">{t('register')}</Link>
        <br />
        <Link to="/invitation">{t('haveInvitation')}</Link>
      </p>
    </>
  )
}

function Providers() {
  const providers = useQuery('oidc', (signal) => ok(api.GET('/v1/auth/oidc', { signal })))
  const items = providers.data?.items ?? []
  if (!items.length) return null
  const back = encodeURIComponent(`${location.origin}/console/signed-in`)
  return (
    <div class="providers">
      <span>{t('orWith')}</span>
      {items.map((p) => (
        <a key={p.id} class="button plain" href={`${p.start_path}?return_to=${back}`}>
          <Icon name="key" />
          <span class="label">{t('continueWith', { name: p.name })}</span>
        </a>
      ))}
    </div>
  )
}

// SignedIn is where an identity provider leads back to.
function SignedIn() {
  const opening = useOpening((operation: string, code: string) => ok(api.POST('/v1/auth/oidc/exchange', { body: { code }, ...as(operation) })))
  const code = query('code')
  const error = query('error')
  useEffect(() => {
    history.replaceState(history.state, '', location.pathname) // the code is used once and need not stay in the history
    if (code) void opening.run(code)
  }, [])
  if (opening.ticket) return <FactorForm opening={opening} />
  if (code && !opening.failure) return <p class="lead" role="status">{t('signingIn')}</p>
  return (
    <div class="auth-form">
      <h1>{t('signInTitle')}</h1>
      {opening.failure ? <FormError failure={opening.failure} /> : <p class="notice bad" role="alert">{t('providerFailed', { code: error ?? '?' })}</p>}
      <Link class="button plain" to="/sign-in">
        {t('toSignIn')}
      </Link>
    </div>
  )
}

function Register() {
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [workspace, setWorkspace] = useState('')
  const opening = useOpening((operation: string, body: Schemas['RegisterRequest']) => ok(api.POST('/v1/auth/register', { body, ...as(operation, device()) })))
  useTitle(t('register'))
  if (opening.ticket) return <FactorForm opening={opening} />
  return (
    <>
      <form class="auth-form" onSubmit={(e) => (e.preventDefault(), void opening.run({ email: email.trim(), password, workspace_name: workspace.trim() }))}>
        <h1>{t('registerTitle')}</h1>
        <p class="lead">{t('registerLead')}</p>
        <FormError failure={opening.failure} />
        <TextField label={t('email')} type="email" autocomplete="username" required autoFocus minLength={3} maxLength={320} value={email} onInput={setEmail} error={fieldError(opening.failure, 'email')} />
        <PasswordField label={t('newPassword')} hint={t('passwordHint')} autocomplete="new-password" required minLength={8} maxLength={128} value={password} onInput={setPassword} error={fieldError(opening.failure, 'password')} />
        <TextField label={t('workspace')} hint={t('workspaceHint')} autocomplete="organization" required maxLength={200} value={workspace} onInput={setWorkspace} error={fieldError(opening.failure, 'workspace_name')} />
        <Button kind="primary" type="submit" busy={opening.pending}>
          {t('register')}
        </Button>
      </form>
      <p class="auth-other">
        {t('haveAccount')} <Link to="/sign-in">{t('signIn')}</Link>
      </p>
    </>
  )
}

function Forgot() {
  const [email, setEmail] = useState('')
  const [sent, setSent] = useState(false)
  useTitle(t('forgotTitle'))
  const send = useAction('password.forgot', async (operation, address: string) => {
    await ok(api.POST('/v1/auth/password/forgot', { body: { email: address }, ...as(operation, { 'Accept-Language': language.value }) }))
    setSent(true)
  })
  if (sent) {
    return (
      <div class="auth-form" role="status">
        <h1>{t('sentTitle')}</h1>
        <p class="lead">{t('sentText', { email: email.trim() })}</p>
        <Link class="button plain" to="/sign-in">
          {t('toSignIn')}
        </Link>
      </div>
    )
  }
  return (
    <form class="auth-form" onSubmit={(e) => (e.preventDefault(), void send.run(email.trim()))}>
      <h1>{t('forgotTitle')}</h1>
      <p class="lead">{t('forgotLead')}</p>
      <FormError failure={send.failure} />
      <TextField label={t('email')} type="email" autocomplete="username" required autoFocus maxLength={320} value={email} onInput={setEmail} error={fieldError(send.failure, 'email')} />
      <Button kind="primary" type="submit" busy={send.pending}>
        {t('sendLink')}
      </Button>
      <Link class="aside" to="/sign-in">
        {t('toSignIn')}
      </Link>
    </form>
  )
}

// SignInAgain is over the page when its session has ended: calls that failed for it go on after the sign-in.
export function SignInAgain() {
  const [password, setPassword] = useState('')
  const opening = useOpening(logIn)
  const email = me.value?.email ?? ''
  const leave = async () => {
    await navigate('/', { force: true })
    await signOut()
  }
  return (
    <Dialog title={t('again')} onClose={() => {}} fixed>
      {opening.ticket ? (
        <FactorForm opening={opening} />
      ) : (
        <form class="auth-form" onSubmit={(e) => (e.preventDefault(), void opening.run({ email, password, ...(here.value && { workspace_id: here.value.workspace_id }) }))}>
          <p class="lead">{t('againText')}</p>
          <FormError failure={opening.failure} />
          <TextField label={t('email')} type="email" autocomplete="username" readOnly value={email} onInput={() => {}} />
          <PasswordField label={t('password')} autocomplete="current-password" required autoFocus maxLength={128} value={password} onInput={setPassword} />
          <Button kind="primary" type="submit" busy={opening.pending}>
            {t('signIn')}
          </Button>
          <Button kind="quiet" onClick={() => void leave()}>
            {t('signOut')}
          </Button>
        </form>
      )}
    </Dialog>
  )
}
