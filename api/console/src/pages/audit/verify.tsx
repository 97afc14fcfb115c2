import { api, ok, type Schemas } from '../../api/client'
import { useQuery } from '../../api/hooks'
import { number } from '../../i18n'
import { At, Button, Dialog, ErrorState, Facts, Notice, Skeleton } from '../../ui'
import { t } from './messages'

const anchors: Record<Schemas['AuditAnchor']['state'], Parameters<typeof t>[0]> = {
  none: 'anchorNone', agrees: 'anchorAgrees', behind: 'anchorBehind', missing: 'anchorMissing', unreachable: 'anchorUnreachable', invalid: 'anchorInvalid', restored: 'anchorRestored',
}

export function VerifyDialog({ onClose }: { onClose: () => void }) {
  const check = useQuery('audit verify', (signal) => ok(api.GET('/v1/audit-log/verify', { signal })))
  const v = check.loading ? undefined : check.data
  return (
    <Dialog title={t('verifyTitle')} onClose={onClose} footer={<Button onClick={check.reload} busy={check.loading}>{t('again')}</Button>}>
      {!v ? (
        check.failure ? <ErrorState failure={check.failure} onRetry={check.reload} /> : <Skeleton lines={4} />
      ) : (
        <div class="stacked" role="status">
          {v.intact ? (
            <Notice tone="good" icon="shield">
              <b>{t('intact')}</b>
              <p>{t('intactText')}</p>
            </Notice>
          ) : (
            <Notice tone="bad" icon="alert">
              <b>{t('broken')}</b>
              <p>{v.broken_seal !== null ? t('brokenAt', { seal: v.broken_seal }) : v.unknown_keys.length ? t('unknownKeys') : t('brokenAnchor')}</p>
            </Notice>
          )}
          <Facts
            facts={[
              [t('sealed'), number(v.sealed_rows)],
              [t('unsealed'), number(v.unsealed_rows)],
              [t('seals'), number(v.seals)],
              v.cut ? [t('cut'), <>{t('cutRows', { n: v.cut.rows })} · <At at={v.cut.at} /></>] : null,
              [t('anchor'), t(anchors[v.anchor.state])],
            ]}
          />
        </div>
      )}
    </Dialog>
  )
}
