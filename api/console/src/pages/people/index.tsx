import type { PageProps } from '..'
import { may } from '../../api/permissions'
import { NotFound } from '../../layout/not-found'
import { query, setQuery } from '../../router'
import { Button, PageBody, PageHeader, Tabs } from '../../ui'
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
            may('members.manage') && <Button kind="primary" icon="plus" onClick={() => setQuery({ new: '1' })}>{t('invite')}</Button>
          )
        }
      />
      <PageBody>
        {tab === 'members' && <Members />}
        {tab === 'invitations' && <Invitations />}
        {tab === 'keys' && <Keys />}
      </PageBody>
      {query('new') && tab === 'keys' && <NewKeyDialog onClose={close} />}
      {query('new') && tab !== 'keys' && may('members.manage') && <InviteDialog onClose={close} />}
    </>
  )
}
