import { useState } from 'preact/hooks'
import { api, ok } from '../../../api/client'
import { useAction } from '../../../api/hooks'
import { as } from '../../../api/operation'
import { may } from '../../../api/permissions'
import { chooseWorkspace, here, me, reloadMe, signOut } from '../../../api/session'
import { date } from '../../../i18n'
import { navigate } from '../../../router'
import { Button, confirm, FormDialog, FormError, LinkButton, Notice, Section, TextField, toast } from '../../../ui'
import { Card } from '../card'
import { t } from './messages'

const restorable = 30 * 86_400_000 // how long a deleted workspace can be restored, in ms

export function Danger({ id, name }: { id: string; name: string }) {
  const [deleting, setDeleting] = useState(false)
  const leave = useAction('workspace.leave', async (operation) => {
    await ok(api.POST('/v1/workspaces/{workspace_id}/leave', { params: { path: { workspace_id: id } }, body: {}, ...as(operation) }))
    toast(t('left', { name }))
    await navigate('/', { force: true })
    // Sessions that were opened in the workspace have ended; one of another workspace goes on there.
    const home = me.value?.workspace_id
    if (!home || home === id) return signOut()
    chooseWorkspace(home)
    await reloadMe()
  })
  const ask = async () => {
    if (await confirm({ title: t('leaveAsk', { name }), text: t('leaveText'), yes: t('leaveYes'), danger: true })) void leave.run()
  }
  return (
    <Section title={t('danger')}>
      <Card title={t('leaveTitle')} text={t('leaveText')} actions={<Button small busy={leave.pending} onClick={() => void ask()}>{t('leave')}</Button>}>
        {leave.failure?.code === 'LAST_OWNER' ? (
          <Notice tone="warn" icon="alert" action={<LinkButton small to="/people">{t('toPeople')}</LinkButton>}>
            <p role="alert">{t('lastOwner')}</p>
          </Notice>
        ) : (
          <FormError failure={leave.failure} onRetry={() => void leave.run()} />
        )}
      </Card>
      {may('workspace.delete') && (
        <Card title={t('deleteTitle')} text={t('deleteText')} actions={<Button small kind="danger" onClick={() => setDeleting(true)}>{t('delete')}</Button>} />
      )}
      {deleting && <DeleteDialog id={id} name={name} onClose={() => setDeleting(false)} />}
    </Section>
  )
}

function DeleteDialog({ id, name, onClose }: { id: string; name: string; onClose: () => void }) {
  const [typed, setTyped] = useState('')
  const remove = useAction('workspace.delete', async (operation) => {
    await ok(api.DELETE('/v1/workspaces/{workspace_id}', { params: { path: { workspace_id: id } }, ...as(operation) }))
    toast(t('deleted', { name }))
    const next = me.value?.memberships.find((m) => m.workspace_id !== id && !m.deleted_at)
    await navigate('/', { force: true })
    if (next) chooseWorkspace(next.workspace_id)
    await reloadMe()
  })
  const same = typed.trim() === name.trim()
  return (
    <FormDialog danger title={<span dir="auto">{t('deleteAsk', { name })}</span>} submit={t('deleteYes')} action={remove} disabled={!same} onSubmit={() => void remove.run()} onClose={onClose}>
      <div>
        <p>{t('deleteLead')}</p>
        <ul class="lost">
          {(['lostBots', 'lostKeys', 'lostData', 'lostExports'] as const).map((key) => (
            <li key={key}>{t(key)}</li>
          ))}
        </ul>
      </div>
      <Notice tone="warn" icon="clock">{t('restoreUntil', { date: date(new Date(Date.now() + restorable).toISOString()) })}</Notice>
      <TextField label={t('typeName', { name: here.value?.name ?? name })} required autocomplete="off" spellcheck={false} value={typed} onInput={setTyped} />
    </FormDialog>
  )
}
