import { useState } from 'preact/hooks'
import { api, ok } from '../../../api/client'
import type { Failure } from '../../../api/errors'
import { useAction } from '../../../api/hooks'
import { as } from '../../../api/operation'
import { me, signOut } from '../../../api/session'
import { navigate } from '../../../router'
import { Button, Dialog, fieldError, Fresh, Notice, PasswordField, toast, useSecretForm } from '../../../ui'
import { Card } from '../card'
import { t } from './messages'

// ownedAlone returns the names of the workspaces that keep the account from being deleted.
function ownedAlone(failure: Failure): string {
  const listed = Array.isArray(failure.details?.workspaces) ? failure.details.workspaces : []
  const names = listed.map((w: unknown) => {
    const id = typeof w === 'string' ? w : (w as { id?: string; workspace_id?: string }).id ?? (w as { workspace_id?: string }).workspace_id
    return me.value?.memberships.find((m) => m.workspace_id === id)?.name ?? id ?? ''
  })
  return names.join(', ')
}

export function DeleteAccount() {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Card title={t('deleteAccount')} text={t('deleteAccountText')} actions={<Button small kind="danger" aria-label={t('deleteAccount')} onClick={() => setOpen(true)}>{t('delete')}</Button>} />
      {open && <DeleteDialog onClose={() => setOpen(false)} />}
    </>
  )
}

function DeleteDialog({ onClose }: { onClose: () => void }) {
  const [values, set, edited] = useSecretForm({ password: '' })
  const remove = useAction('account.delete', async (operation, _edited: number) => {
    await ok(api.DELETE('/v1/auth/me', { body: values.password ? { password: values.password } : {}, ...as(operation) }))
    toast(t('accountDeleted'))
    await navigate('/', { force: true })
    await signOut()
  })
  const run = () => void remove.run(edited)
  const code = remove.failure?.code
  const wrong = code === 'INVALID_CREDENTIALS'
  return (
    <Dialog
      title={t('deleteTitle')}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="danger" type="submit" form="delete-account" busy={remove.pending}>
            {t('deleteYes')}
          </Button>
        </>
      }
    >
      <form id="delete-account" onSubmit={(e) => (e.preventDefault(), run())}>
        {remove.failure && code === 'LAST_OWNER' ? <Notice tone="warn" icon="alert"><p role="alert" dir="auto">{t('lastOwner', { names: ownedAlone(remove.failure) })}</p></Notice> : !wrong && <Fresh failure={remove.failure} onDone={run} />}
        <p dir="auto">{t('deleteText', { email: me.value?.email ?? '' })}</p>
        <PasswordField label={t('password')} hint={t('passwordIfAny')} maxLength={128} autocomplete="current-password" value={values.password} onInput={(to) => set({ password: to })} error={wrong ? t('wrongPassword') : fieldError(remove.failure, 'password')} />
      </form>
    </Dialog>
  )
}
