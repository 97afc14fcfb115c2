import { useEffect, useRef, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { useAction } from '../../api/hooks'
import { as } from '../../api/operation'
import { bytes, duration } from '../../i18n'
import { guardLeaving } from '../../router'
import { Button, Code, confirmLeaving, Facts, FormError, Id, Notice, toast, useSecretForm, useShowProblem } from '../../ui'
import { CredentialsFields, credentialsOf, CredentialsSet, noCredentials } from './credentials'
import { changesOf, draftOf, fieldsOf, type Definition, type Draft, type Tool } from './draft'
import { ToolFields } from './form'
import { t } from './messages'
import { Effect } from './status'

// EditTool changes the definition of a tool. Only what was changed is sent, so that what others have changed meanwhile can stay.
export function EditTool({ tool, onSaved }: { tool: Tool; onSaved: (to: Tool) => void }) {
  const [base, setBase] = useState(tool)
  const [draft, setDraft] = useState<Draft>(() => draftOf(tool))
  const [credentials, setCredentials] = useState<'keep' | 'replace' | 'remove'>('keep')
  const [{ fresh }, setFresh, edited] = useSecretForm({ fresh: noCredentials })
  const [theirs, setTheirs] = useState<Tool | null>(null)
  const [note, setNote] = useState('')
  const [edition, setEdition] = useState(0) // of the editor of the arguments, which begins anew with another schema
  const form = useRef<HTMLFormElement>(null)
  const before = draftOf(base)
  const given = credentials === 'remove' ? null : base.credentials && credentials === 'keep' ? undefined : credentialsOf(fresh)
  const dirty = JSON.stringify(draft) !== JSON.stringify(before) || given !== undefined
  useEffect(() => (dirty ? guardLeaving(confirmLeaving) : undefined), [dirty])

  const show = (to: Tool) => {
    if (draftOf(to).schema !== draft.schema) setEdition((n) => n + 1)
    setBase(to)
    setDraft(draftOf(to))
    setCredentials('keep')
    setFresh({ fresh: noCredentials })
    setNote('')
    setTheirs(null)
  }
  useEffect(() => {
    if (!dirty && tool !== base) show(tool)
  }, [tool])

  const save = useAction(`tool.change.${tool.id}`, async (operation, version: number, changes: Schemas['ChangeToolRequest'], _credentials: 'keep' | 'remove' | number) => {
    const params = { path: { tool_id: tool.id } }
    const body = { ...changes, ...(given !== undefined && { credentials: given }) }
    try {
      const saved = await ok(api.PATCH('/v1/tools/{tool_id}', { params, body, ...as(operation, { 'If-Match': `"${version}"` }) }))
      show(saved)
      onSaved(saved)
      toast(saved.current_version === base.current_version ? t('credentialsSaved') : t('saved', { version: `v${saved.current_version}` }))
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== 'VERSION_CONFLICT') throw thrown
      setTheirs(await ok(api.GET('/v1/tools/{tool_id}', { params })))
    }
  })
  const submit = (version = base.current_version) => {
    const [old, now] = [fieldsOf(before), fieldsOf(draft)]
    if (!old || !now) return
    const changes = changesOf(old, now)
    const secret = given === undefined ? 'keep' : given === null ? 'remove' : edited
    if (secret !== 'keep' || Object.keys(changes).length) void save.run(version, { ...changes, ...(note.trim() && { note: note.trim() }) }, secret)
    else show(base)
  }
  useShowProblem(form, save.failure ?? theirs)
  return (
    <form ref={form} class="tool-form" onSubmit={(e) => (e.preventDefault(), submit())}>
      <FormError failure={save.failure} onRetry={() => submit()} />
      {theirs && (
        <div class="notice warn" role="alert">
          <div class="notice-body">
            <b>{t('conflictTitle', { version: `v${theirs.current_version}` })}</b>
            <p>{t('conflictText')}</p>
            <div class="buttons">
              <Button small kind="primary" busy={save.pending} onClick={() => submit(theirs.current_version)}>{t('keepMine')}</Button>
              <Button small onClick={() => (onSaved(theirs), show(theirs))}>{t('takeTheirs')}</Button>
            </div>
          </div>
        </div>
      )}
      {base.kind === 'mcp' && <Notice icon="plug">{t('mcpText', { name: base.remote_name ?? '' })}</Notice>}
      <ToolFields
        named edition={edition} draft={draft} set={(part) => setDraft((d) => ({ ...d, ...part }))} failure={save.failure}
        credentials={
          base.credentials && credentials === 'keep' ? (
            <CredentialsSet set={base.credentials} onReplace={() => setCredentials('replace')} onRemove={() => setCredentials('remove')} />
          ) : credentials === 'remove' ? (
            <Notice tone="warn" icon="key" action={<Button small onClick={() => setCredentials('keep')}>{t('undo')}</Button>}>{t('credentialsGo')}</Notice>
          ) : (
            <CredentialsFields draft={fresh} set={(to) => setFresh({ fresh: to })} failure={save.failure} />
          )
        }
      />
      <div class={`save-bar${dirty ? ' dirty' : ''}`}>
        <input class="input" aria-label={t('note')} placeholder={t('note')} maxLength={500} value={note} onInput={(e) => setNote(e.currentTarget.value)} dir="auto" />
        <span class="hint" role="status">{dirty ? t('unsaved') : t('isSaved', { version: `v${base.current_version}` })}</span>
        {dirty && <Button kind="quiet" onClick={() => (show(base), save.clear())}>{t('discard')}</Button>}
        <Button kind="primary" type="submit" disabled={!dirty} busy={save.pending}>{t('save')}</Button>
      </div>
      <p class="hint">{t('savingText')}</p>
      <Facts facts={[[t('toolId'), <Id id={base.id} label={t('copyId')} />]]} />
    </form>
  )
}

// ToolDefinition shows a definition to read.
export function ToolDefinition({ of: d, credentials }: { of: Definition; credentials?: Tool['credentials'] }) {
  return (
    <div class="stacked tool-definition">
      <div class="prose" dir="auto">{d.description}</div>
      <Facts
        facts={[
          [t('effect'), <Effect effect={d.effect} />],
          d.url ? [d.kind === 'mcp' ? t('server') : t('request'), <code dir="ltr">{d.method ? `${d.method} ` : ''}{d.url}</code>] : null,
          d.remote_name ? [t('remoteName'), <code>{d.remote_name}</code>] : null,
          [t('timeout'), duration(d.timeout_ms)],
          [t('maxOutput'), bytes(d.max_output_bytes)],
          d.redact.length ? [t('redact'), <code>{d.redact.join(', ')}</code>] : null,
          d.idempotency_header ? [t('idempotency'), <code>{d.idempotency_header}</code>] : null,
        ]}
      />
      {credentials && <CredentialsSet set={credentials} />}
      <div>
        <h2>{t('arguments')}</h2>
        <Code label={t('arguments')} text={JSON.stringify(d.schema, null, 2)} />
      </div>
    </div>
  )
}
