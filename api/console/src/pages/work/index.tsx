import type { PageProps } from '..'
import { may } from '../../api/permissions'
import { PageBody, PageHeader, Tabs } from '../../ui'
import { NotFound } from '../../layout/not-found'
import { Calls } from './calls'
import { DeadLetters } from './dead-letters'
import { Jobs } from './jobs'
import { t } from './messages'

export default function Work({ params }: PageProps) {
  const tab = params.tab ?? 'calls'
  const parts = [
    { id: 'calls', label: t('calls') },
    ...(may('jobs.read') ? [{ id: 'jobs', label: t('jobs') }, { id: 'dead-letters', label: t('deadLetters') }] : []),
  ]
  const found = parts.find((p) => p.id === tab)
  if (!found) return <NotFound />
  return (
    <>
      <PageHeader title={t('title')} tabs={<Tabs label={t('title')} tabs={parts.map((p) => ({ to: p.id === 'calls' ? '/work' : `/work/${p.id}`, label: p.label, current: p.id === tab }))} />} />
      <PageBody>
        {tab === 'calls' && <Calls open={params.id} />}
        {tab === 'jobs' && <Jobs />}
        {tab === 'dead-letters' && <DeadLetters open={params.id} />}
      </PageBody>
    </>
  )
}
