import { useState } from 'preact/hooks'
import { api, ok } from '../api/client'
import { useAction } from '../api/hooks'
import { as } from '../api/operation'
import { chooseWorkspace, here, joinWorkspace, me, signOut } from '../api/session'
import { date } from '../i18n'
import { navigate } from '../router'
import { Button, fieldError, FormDialog, FormError, TextField, toast } from '../ui'
import { t } from './messages'

function useNewWorkspace(done: () => void) {
  return useAction('workspace.create', async (operation, name: string) => {
    const made = await ok(api.POST('/v1/workspaces', { body: { name }, ...as(operation) }))
    await joinWorkspace()
    await navigate('/')
    chooseWorkspace(made.id)
    done()
  })
}

export function NewWorkspace({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const create = useNewWorkspace(onClose)
  return (
    <FormDialog title={t('newWorkspace')} submit={t('create')} action={create} onSubmit={() => void create.run(name.trim())} onClose={onClose}>
      <TextField label={t('workspaceName')} value={name} onInput={setName} required maxLength={200} error={fieldError(create.failure, 'name')} />
    </FormDialog>
  )
}

// NoWorkspace is shown to a person who is in no workspace.
export function NoWorkspace() {
  const [name, setName] = useState('')
  const create = useNewWorkspace(() => {})
  return (
    <form class="auth-form" onSubmit={(e) => (e.preventDefault(), void create.run(name.trim()))}>
      <h1>{t('noWorkspaceTitle')}</h1>
      <p class="lead">{t('noWorkspaceText')}</p>
      <FormError failure={create.failure} />
      <TextField label={t('workspaceName')} value={name} onInput={setName} required maxLength={200} error={fieldError(create.failure, 'name')} />
      <Button kind="primary" type="submit" busy={create.pending}>
        {t('create')}
      </Button>
      <Button kind="quiet" onClick={() => void signOut()}>
        {t('signOut')}
      </Button>
    </form>
  )
}

const restorable = 30 * 86_400_000 // how long a deleted workspace can be restored, in ms

// DeletedWorkspace is shown in place of a workspace that is deleted, until it is restored or another one is chosen.
export function DeletedWorkspace() {
  const [making, setMaking] = useState(false)
  const at = here.value
  const restore = useAction('workspace.restore', async (operation, id: string, name: string) => {
    await ok(api.POST('/v1/workspaces/{workspace_id}/restore', { params: { path: { workspace_id: id } }, body: {}, ...as(operation) }))
    await joinWorkspace()
    chooseWorkspace(id)
    toast(t('restored', { name }))
  })
  if (!at?.deleted_at) return null
  const others = me.value?.memberships.filter((m) => !m.deleted_at) ?? []
  const until = new Date(new Date(at.deleted_at).getTime() + restorable).toISOString()
  return (
    <div class="auth-form">
      <h1 dir="auto">{t('deletedTitle', { name: at.name })}</h1>
      <p class="lead">{t('deletedText', { date: date(at.deleted_at), until: date(until) })}</p>
      <FormError failure={restore.failure} />
      {at.role === 'owner' && (
        <Button kind="primary" busy={restore.pending} onClick={() => void restore.run(at.workspace_id, at.name)}>
          {t('restore')}
        </Button>
      )}
      {others.slice(0, 5).map((m) => (
        <Button key={m.workspace_id} onClick={() => chooseWorkspace(m.workspace_id)}>
          <span dir="auto">{t('goTo', { name: m.name })}</span>
        </Button>
      ))}
      {!others.length && <Button onClick={() => setMaking(true)}>{t('newWorkspace')}</Button>}
      <Button kind="quiet" onClick={() => void signOut()}>
        {t('signOut')}
      </Button>
      {making && <NewWorkspace onClose={() => setMaking(false)} />}
    </div>
  )
}
