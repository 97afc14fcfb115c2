import { api, ok, type Schemas } from '../../../api/client'
import { useAction, usePages } from '../../../api/hooks'
import { as } from '../../../api/operation'
import { me } from '../../../api/session'
import { ago } from '../../../i18n'
import { Badge, Button, type Column, confirm, EmptyState, FormError, Icon, Section, Table, toast, When } from '../../../ui'
import { t } from './messages'

type Session = Schemas['Session']

// nameOf names what opened a session. The API says it in English, such as Firefox on Linux.
function nameOf(s: Session): string {
  const [, browser, system] = /^(.+) on (.+)$/.exec(s.device) ?? []
  return browser && system ? t('browserOn', { browser, system }) : s.device || s.user_agent || t('unknownDevice')
}

// Sessions are where the person is signed in. This one ends by signing out.
export function Sessions() {
  const pages = usePages('sessions', (cursor, signal) => ok(api.GET('/v1/auth/sessions', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal })))
  const end = useAction('session.end', async (operation, id: string) => {
    await ok(api.DELETE('/v1/auth/sessions/{session_id}', { params: { path: { session_id: id } }, ...as(operation) }))
    toast(t('ended'))
    pages.reload()
  })
  const endOthers = useAction('session.end-others', async (operation) => {
    const { ended } = await ok(api.POST('/v1/auth/logout-all', { body: {}, ...as(operation) }))
    toast(t('othersEnded', { n: ended }))
    pages.reload()
  })
  const ask = async (s: Session) => {
    if (await confirm({ title: t('endTitle'), text: t('endText', { device: nameOf(s) }), yes: t('end'), danger: true })) void end.run(s.id)
  }
  const askOthers = async () => {
    if (await confirm({ title: t('endOthersTitle'), text: t('endOthersText'), yes: t('endOthers'), danger: true })) void endOthers.run()
  }
  const columns: Column<Session>[] = [
    {
      key: 'device', title: t('device'), width: 'minmax(0, 1fr)',
      cell: (s) => (
        <span class="row-link">
          <span class="tile" aria-hidden="true">
            <Icon name="screen" />
          </span>
          <span class="two">
            <b dir="auto">{nameOf(s)}</b>
            <small>{[s.network, t('signedIn', { when: ago(s.created_at) })].filter(Boolean).join(' · ')}</small>
          </span>
        </span>
      ),
    },
    { key: 'workspace', title: t('workspace'), width: '140px', wide: true, cell: (s) => <span dir="auto">{me.value?.memberships.find((m) => m.workspace_id === s.workspace_id)?.name ?? t('someWorkspace')}</span> },
    { key: 'used', title: t('lastUsed'), width: '120px', wide: true, cell: (s) => <When at={s.refreshed_at} /> },
    { key: 'actions', title: t('actions'), width: '116px', end: true, cell: (s) => s.current ? <Badge tone="good" dot>{t('thisOne')}</Badge> : <span class="above"><Button small kind="quiet" aria-label={t('endOf', { device: nameOf(s) })} onClick={() => void ask(s)}>{t('end')}</Button></span> },
  ]
  const others = pages.data?.some((s) => !s.current)
  return (
    <Section title={t('sessions')} hint={t('sessionsHint')} actions={others && <Button small icon="out" busy={endOthers.pending} onClick={() => void askOthers()}>{t('endOthers')}</Button>}>
      <FormError failure={end.failure ?? endOthers.failure} />
      <Table label={t('sessions')} columns={columns} pages={pages} rowKey={(s) => s.id} rowHeight={57} empty={<EmptyState icon="screen" title={t('sessions')} />} />
    </Section>
  )
}
