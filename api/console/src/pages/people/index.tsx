import type { PageProps } from '..'
import { may } from '../../api/permissions'
import { NotFound } from '../../layout/not-found'
import { query, setQuery } from '../../router'
import { Button, PageBody, PageHeader, Tabs } from '../../ui'
import { t as account } from '../settings/account/messages'
import { Sessions } from '../settings/account/sessions'
import { Invitations, InviteDialog } from './invitations'
import { Keys, NewKeyDialog } from './keys'
import { Members } from './members'
import { t } from './messages'
import './styles.css'

export default function People({ params }: PageProps) {
  const tab = params.tab ?? 'members'
  const parts = [
    { id: 'members', label: t('members') },
    ...(may('members.manage') ? [{ id: 'invitations', label: t('invitations') }] : []),
    ...(may('keys.manage') ? [{ id: 'keys', label: t('keys') }] : []),
    { id: 'sessions', label: account('sessions') },
  ]
  if (!parts.some((p) => p.id === tab)) return <NotFound />
  const close = () => setQuery({ new: null })
  return (
    <>
      <PageHeader
        title={t('title')}
        tabs={<Tabs label={t('title')} tabs={parts.map((p) => ({ to: p.id === 'members' ? '/people' : `/people/${p.id}`, label: p.label, current: p.id === tab }))} />}
        actions={
          tab === 'keys' ? (
            <Button kind="primary" icon="plus" onClick={() => setQuery({ new: '1' })}>{t('newKey')}</Button>
          ) : (
            tab !== 'sessions' && may('members.manage') && <Button kind="primary" icon="plus" onClick={() => setQuery({ new: '1' })}>{t('invite')}</Button>
          )
        }
      />
      <PageBody>
        {tab === 'members' && <Members />}
        {tab === 'invitations' && <Invitations />}
        {tab === 'keys' && <Keys />}
        {tab === 'sessions' && <Sessions />}
      </PageBody>
      {query('new') && tab === 'keys' && <NewKeyDialog onClose={close} />}
      {query('new') && tab !== 'keys' && tab !== 'sessions' && may('members.manage') && <InviteDialog onClose={close} />}
    </>
  )
}
