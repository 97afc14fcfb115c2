import { useState } from 'preact/hooks'
import { api, ok } from '../../api/client'
import { useAction, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { here, reloadMe } from '../../api/session'
import { At, Button, Facts, fieldError, FormError, Id, Reading, Section, TextField, toast } from '../../ui'
import { t } from './messages'
import { Danger } from './workspace/danger'
import { Exports } from './workspace/exports'
import { FactorRule } from './workspace/factor'
import { t as tw } from './workspace/messages'
import { Retention } from './workspace/retention'

export function General() {
  const id = here.value?.workspace_id ?? ''
  const workspace = useQuery(`workspace/${id}`, (signal) => ok(api.GET('/v1/workspaces/{workspace_id}', { params: { path: { workspace_id: id } }, signal })))
  const w = workspace.data
  if (!w) return <Reading of={workspace} lines={4} tall />
  return (
    <>
      <Section title={t('workspace')}>
        <div class="card stacked">
          {may('workspace.manage') && <Rename key={w.name} id={id} name={w.name} onDone={workspace.reload} />}
          <Facts
            facts={[
              !may('workspace.manage') && [t('name'), <span dir="auto">{w.name}</span>],
              [t('workspaceId'), <Id id={w.id} label={t('copyId')} />],
              [t('made'), <At at={w.created_at} />],
            ]}
          />
        </div>
      </Section>
      {!may('workspace.manage') && <p class="hint section">{t('readOnly')}</p>}
      <Section title={tw('security')}>
        <FactorRule id={id} />
      </Section>
      {may('workspace.manage') && (
        <Section title={tw('retention')} hint={tw('retentionHint')}>
          <Retention id={id} />
        </Section>
      )}
      {may('workspace.export') && <Exports id={id} />}
      <Danger id={id} name={w.name} />
    </>
  )
}

function Rename({ id, name, onDone }: { id: string; name: string; onDone: () => void }) {
  const [to, setTo] = useState(name)
  const rename = useAction('workspace.rename', async (operation, name: string) => {
    await ok(api.PATCH('/v1/workspaces/{workspace_id}', { params: { path: { workspace_id: id } }, body: { name }, ...as(operation) }))
    await reloadMe()
    toast(t('saved'))
    onDone()
  })
  const changed = to.trim() !== name
  return (
    <form onSubmit={(e) => (e.preventDefault(), changed && void rename.run(to.trim()))}>
      <FormError failure={rename.failure} onRetry={() => void rename.run(to.trim())} />
      <TextField label={t('name')} hint={t('nameHint')} required maxLength={200} value={to} onInput={setTo} error={fieldError(rename.failure, 'name')} />
      <div class="save">
        <Button kind="primary" type="submit" busy={rename.pending} disabled={!changed || !to.trim()}>
          {t('save')}
        </Button>
      </div>
    </form>
  )
}
