import { api, ok } from '../../../api/client'
import { useAction, useQuery } from '../../../api/hooks'
import { as } from '../../../api/operation'
import { may } from '../../../api/permissions'
import { Badge, Button, confirm, Fresh, LinkButton, Reading, toast } from '../../../ui'
import { Card } from '../card'
import { t } from './messages'

// FactorRule says whether members need a second factor. An owner who has none cannot require one.
export function FactorRule({ id }: { id: string }) {
  const path = { workspace_id: id }
  const rule = useQuery(`second-factor/${id}`, (signal) => ok(api.GET('/v1/workspaces/{workspace_id}/second-factor', { params: { path }, signal })))
  const own = useQuery('factors', (signal) => ok(api.GET('/v1/auth/factors', { signal })))
  const put = useAction('second-factor.put', async (operation, required: boolean) => {
    rule.set(await ok(api.PUT('/v1/workspaces/{workspace_id}/second-factor', { params: { path }, body: { required }, ...as(operation) })))
    toast(t(required ? 'required' : 'notRequired'))
  })
  if (!rule.data) return <Reading of={rule} lines={2} />
  const on = rule.data.required
  const ask = async () => {
    if (await confirm(on ? { title: t('stopTitle'), text: t('stopText'), yes: t('stop') } : { title: t('requireTitle'), text: t('requireText'), yes: t('require') })) void put.run(!on)
  }
  const secures = may('workspace.secure')
  const lacksOwn = secures && !on && own.data && !own.data.totp?.confirmed_at
  return (
    <Card
      title={t('factorTitle')}
      badge={on ? <Badge tone="good" dot>{t('factorOn')}</Badge> : <Badge>{t('factorOff')}</Badge>}
      text={
        <>
          {t(on ? 'factorOnText' : 'factorOffText')} {lacksOwn ? t('ownFirst') : !secures && t('ownersSet')}
        </>
      }
      actions={secures && (lacksOwn ? <LinkButton small to="/settings/account">{t('toAccount')}</LinkButton> : <Button small busy={put.pending} onClick={() => void ask()}>{t(on ? 'stop' : 'require')}</Button>)}
    >
      {put.failure && <Fresh failure={put.failure} onDone={() => void put.run(!on)} />}
    </Card>
  )
}
