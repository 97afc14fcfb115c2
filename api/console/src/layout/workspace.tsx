import { useState } from 'preact/hooks'
import { api, ok } from '../api/client'
import { useAction } from '../api/hooks'
import { as } from '../api/operation'
import { chooseWorkspace, refresh, reloadMe, signOut } from '../api/session'
import { navigate } from '../router'
import { Button, Dialog, fieldError, FormError, TextField } from '../ui'
import { t as ui } from '../ui/messages'
import { t } from './messages'

function useNewWorkspace(done: () => void) {
  return useAction('workspace.create', async (operation, name: string) => {
    const made = await ok(api.POST('/v1/workspaces', { body: { name }, ...as(operation) }))
    await reloadMe()
    await navigate('/')
    chooseWorkspace(made.id)
    done()
  })
}

export function NewWorkspace({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const create = useNewWorkspace(onClose)
  return (
    <Dialog
      title={t('newWorkspace')}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{ui('cancel')}</Button>
          <Button kind="primary" type="submit" form="new-workspace" busy={create.pending}>
            {t('create')}
          </Button>
        </>
      }
    >
      <form id="new-workspace" onSubmit={(e) => (e.preventDefault(), void create.run(name.trim()))}>
        <FormError failure={create.failure} />
        <TextField label={t('workspaceName')} value={name} onInput={setName} required maxLength={200} error={fieldError(create.failure, 'name')} />
      </form>
    </Dialog>
  )
}

// NoWorkspace is shown to a person who is in no workspace.
export function NoWorkspace() {
  const [name, setName] = useState('')
  const create = useNewWorkspace(() => void refresh().then(reloadMe))
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
