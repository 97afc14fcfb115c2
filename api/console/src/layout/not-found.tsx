import { EmptyState, LinkButton, PageBody, PageHeader } from '../ui'
import { t } from './messages'

export function NotFound() {
  return (
    <>
      <PageHeader title={t('notFoundTitle')} />
      <PageBody>
        <EmptyState icon="search" title={t('notFoundTitle')} action={<LinkButton to="/">{t('toHome')}</LinkButton>}>
          {t('notFoundText')}
        </EmptyState>
      </PageBody>
    </>
  )
}
