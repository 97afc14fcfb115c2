import type { PageProps } from '..'
import { may } from '../../api/permissions'
import { NotFound } from '../../layout/not-found'
import { PageBody, PageHeader, Tabs } from '../../ui'
import { Account } from './account'
import { t as account } from './account/messages'
import { General } from './general'
import { t } from './messages'
import { Models } from './models'
import './styles.css'

export default function Settings({ params }: PageProps) {
  const tab = params.tab ?? 'general'
  const parts = [{ id: 'general', label: t('general') }, ...(may('models.read') ? [{ id: 'models', label: t('models') }] : []), { id: 'account', label: account('account') }]
  if (!parts.some((p) => p.id === tab)) return <NotFound />
  return (
    <>
      <PageHeader title={t('title')} tabs={<Tabs label={t('title')} tabs={parts.map((p) => ({ to: p.id === 'general' ? '/settings' : `/settings/${p.id}`, label: p.label, current: p.id === tab }))} />} />
      <PageBody narrow>{tab === 'models' ? <Models /> : tab === 'account' ? <Account /> : <General />}</PageBody>
    </>
  )
}
