import { Component, type ComponentChildren, type FunctionComponent } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { asFailure, type Failure } from './api/errors'
import { here, me, start, state, workspace } from './api/session'
import { AuthFrame, AuthPages, SignInAgain } from './auth'
import { AcceptInvitation } from './auth/invitation'
import { t } from './layout/messages'
import { NotFound } from './layout/not-found'
import { pageAt, Shell, visible } from './layout/shell'
import { DeletedWorkspace, NoWorkspace } from './layout/workspace'
import type { Page, PageProps } from './pages'
import { navigate, route } from './router'
import { Button, EmptyState, ErrorState, PageBody, Skeleton } from './ui'
import { Toasts } from './ui/toast'

const authPaths = ['/sign-in', '/register', '/forgot', '/signed-in']

export function App() {
  const [failure, setFailure] = useState<Failure | null>(null)
  const begin = () => {
    setFailure(null)
    start().catch((thrown) => setFailure(asFailure(thrown)))
  }
  useEffect(begin, [])

  const at = state.value
  const path = route.value.path
  const toHome = (at === 'in' || at === 'expired') && authPaths.includes(path)
  useEffect(() => {
    if (toHome) void navigate('/', { replace: true, force: true })
  }, [toHome])

  if (at === 'starting') return failure ? <AuthFrame><ErrorState failure={failure} onRetry={begin} /></AuthFrame> : <div class="starting" />
  if (toHome) return <div class="starting" />
  const framed = path === '/invitation' ? <AcceptInvitation /> : at === 'out' ? <AuthPages path={path} /> : !here.value && !me.value?.memberships.length ? <NoWorkspace /> : here.value?.deleted_at ? <DeletedWorkspace /> : null
  if (framed) {
    return (
      <>
        <AuthFrame>{framed}</AuthFrame>
        {at === 'expired' && <SignInAgain />}
        <Toasts />
      </>
    )
  }
  return (
    <>
      <Shell>
        <Boundary key={`${workspace.value} ${pageAt(path)?.page.id}`}>
          <PageAt path={path} />
        </Boundary>
      </Shell>
      {at === 'expired' && <SignInAgain />}
    </>
  )
}

const loaded = new Map<Page['id'], FunctionComponent<PageProps>>()

function PageAt({ path }: { path: string }) {
  const found = pageAt(path)
  const page = found && visible(found.page) ? found.page : null
  const [, render] = useState(0)
  const [failed, setFailed] = useState(false)
  useEffect(() => {
    if (!page || loaded.has(page.id)) return
    let current = true
    page.load().then(
      (module) => {
        loaded.set(page.id, module.default)
        if (current) render((n) => n + 1)
      },
      () => current && setFailed(true),
    )
    return () => void (current = false)
  }, [page])
  if (!page || !found) return <NotFound />
  if (failed) {
    return (
      <PageBody>
        <EmptyState icon="alert" title={t('pageFailed')} action={<Button onClick={() => location.reload()}>{t('reload')}</Button>} />
      </PageBody>
    )
  }
  const Content = loaded.get(page.id)
  return Content ? <Content key={workspace.value ?? ''} params={found.params} /> : <PageBody><Skeleton lines={5} tall /></PageBody>
}

// Boundary keeps a page that fails from taking the others with it.
class Boundary extends Component<{ children: ComponentChildren }, { failed: Error | null }> {
  override state = { failed: null as Error | null }
  static override getDerivedStateFromError(failed: Error) {
    return { failed }
  }
  override render() {
    if (!this.state.failed) return this.props.children
    return (
      <PageBody>
        <EmptyState icon="alert" title={t('crashed')} action={<Button onClick={() => location.reload()}>{t('reload')}</Button>}>
          <code>{this.state.failed.message}</code>
        </EmptyState>
      </PageBody>
    )
  }
}
