import { useEffect, useState } from 'preact/hooks'
import { api, ok } from '../../api/client'
import { useQuery } from '../../api/hooks'
import { may } from '../../api/permissions'
import { navigate, query } from '../../router'
import { Button, EmptyState, PageBody, PageHeader, Reading, Tabs } from '../../ui'
import { AskDialog } from './ask'
import { Documents } from './documents'
import { t } from './messages'
import { SearchBase } from './search'
import { BaseSettings } from './settings'
import { workingOf } from './status'
import { finished } from './upload'

// Base is a knowledge base: its documents, a search in it, its settings.
export function Base({ id }: { id: string }) {
  const base = useQuery(`base ${id}`, (signal) => ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}', { params: { path: { knowledge_base_id: id } }, signal })))
  const [asking, setAsking] = useState(false)
  const tab = query('tab') ?? 'documents'
  const data = base.data
  const busy = data ? workingOf(data.documents) + data.documents.deleting : 0
  useEffect(() => {
    if (!busy || base.loading) return
    const timer = setTimeout(base.reload, 1200)
    return () => clearTimeout(timer)
  }, [busy, base.loading, base.data])

  if (!data) {
    return (
      <>
        <PageHeader title={t('title')} />
        <PageBody>
          <Reading of={base} gone={<Gone />} lines={6} tall />
        </PageBody>
      </>
    )
  }
  const offered = tab === 'documents' && finished.value.base === id && finished.value.documents.length > 0 // the page below does
  const path = `/knowledge/${id}`
  const tabs = [
    { to: path, label: t('documents'), current: tab === 'documents', count: data.documents.total },
    { to: `${path}?tab=search`, label: t('search'), current: tab === 'search' },
    { to: `${path}?tab=settings`, label: t('settings'), current: tab === 'settings' },
  ]
  return (
    <>
      <PageHeader
        title={data.name}
        crumb={{ to: '/knowledge', label: t('title') }}
        actions={data.documents.ready > 0 && may('bots.write') && !offered && <Button icon="bot" onClick={() => setAsking(true)}>{t('ask')}</Button>}
        tabs={<Tabs tabs={tabs} label={t('parts')} />}
      />
      <PageBody narrow={tab === 'search' || tab === 'settings'}>
        {tab === 'search' ? <SearchBase base={data} /> : tab === 'settings' ? <BaseSettings key={data.id} base={data} set={base.set} /> : <Documents base={data} onAsk={() => setAsking(true)} />}
      </PageBody>
      {asking && <AskDialog base={data} onClose={() => setAsking(false)} />}
    </>
  )
}

function Gone() {
  return (
    <EmptyState icon="book" title={t('goneTitle')} action={<Button onClick={() => void navigate('/knowledge')}>{t('toBases')}</Button>}>
      {t('goneText')}
    </EmptyState>
  )
}
