import { useEffect, useRef } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { guardLeaving, navigate, query } from '../../router'
import { Button, confirmLeaving, FormError, LinkButton, Notice, PageBody, PageHeader, toast, useSecretForm, useShowProblem } from '../../ui'
import { t as ui } from '../../ui/messages'
import { CredentialsFields, credentialsOf, noCredentials, type CredentialsDraft } from './credentials'
import { emptyDraft, fieldsOf, type Draft } from './draft'
import { ToolFields } from './form'
import { t } from './messages'

// NewTool makes a tool; ?bot= names a bot that it is then attached to.
export function NewTool() {
  const bot = query('bot')
  const back = bot ? `/bots/${bot}/tools` : '/tools'
  const [{ credentials, ...draft }, set, edited] = useSecretForm<Draft & { credentials: CredentialsDraft }>({ ...emptyDraft, credentials: noCredentials })
  const form = useRef<HTMLFormElement>(null)
  const dirty = JSON.stringify([draft, credentials]) !== JSON.stringify([emptyDraft, noCredentials])
  useEffect(() => (dirty ? guardLeaving(confirmLeaving) : undefined), [dirty])

  const fields = fieldsOf(draft)
  const create = useAction('tool.create', async (operation, _edited: number) => {
    if (!fields || draft.kind === 'mcp') return
    const given = draft.kind === 'http' ? credentialsOf(credentials) : undefined
    const body: Schemas['CreateToolRequest'] = { kind: draft.kind, name: draft.name.trim(), ...fields, ...(given && { credentials: given }) }
    const tool = await ok(api.POST('/v1/tools', { body, ...as(operation) }))
    invalidate('tools')
    toast(t('made', { name: tool.name }))
    await navigate(bot ? `${back}?add=${tool.id}` : `/tools/${tool.id}`, { force: true })
  })
  const run = () => void (fields && create.run(edited))
  useShowProblem(form, create.failure)
  return (
    <>
      <PageHeader title={t('newTool')} crumb={{ to: '/tools', label: t('title') }} />
      <PageBody narrow>
        {!may('tools.write') ? (
          <Notice icon="eye">{t('readOnly')}</Notice>
        ) : (
          <form ref={form} class="tool-form" onSubmit={(e) => (e.preventDefault(), run())}>
            <FormError failure={create.failure} onRetry={run} />
            <ToolFields draft={draft} set={set} failure={create.failure} credentials={<CredentialsFields draft={credentials} set={(to) => set({ credentials: to })} failure={create.failure} />} />
            <div class="form-end">
              <Button kind="primary" type="submit" busy={create.pending}>{t('create')}</Button>
              <LinkButton kind="quiet" to={back}>{ui('cancel')}</LinkButton>
            </div>
          </form>
        )}
      </PageBody>
    </>
  )
}
