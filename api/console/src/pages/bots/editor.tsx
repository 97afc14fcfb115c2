import { useEffect, useState } from 'preact/hooks'
import { api, ok } from '../../api/client'
import { useAction, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { guardLeaving, Link } from '../../router'
import { Button, compareLines, confirmLeaving, Dialog, Diff, fieldError, Field, FormError, Notice, PageBody, TextArea, TextField, toast } from '../../ui'
import type { BotDetail } from './bot'
import { t } from './messages'
import { draftOf, settingsOf, type Draft, type Settings } from './settings'

export function Editor({ bot, onSaved }: { bot: BotDetail; onSaved: (to: BotDetail) => void }) {
  const [base, setBase] = useState(bot)
  const [draft, setDraft] = useState<Draft>(() => draftOf(bot))
  const [note, setNote] = useState('')
  const [wrong, setWrong] = useState<keyof Draft | null>(null)
  const [pressed, setPressed] = useState<'draft' | 'live'>('live')
  const [theirs, setTheirs] = useState<BotDetail | null>(null)
  const writes = may('bots.write')
  const dirty = JSON.stringify(draft) !== JSON.stringify(draftOf(base))
  const set = (part: Partial<Draft>) => {
    setWrong(null)
    setDraft((d) => ({ ...d, ...part }))
  }

  useEffect(() => (dirty ? guardLeaving(confirmLeaving) : undefined), [dirty])
  useEffect(() => {
    // What others have saved is shown at once where nothing would be lost.
    if (!dirty && bot.current_version !== base.current_version) {
      setBase(bot)
      setDraft(draftOf(bot))
    }
  }, [bot])

  const models = useQuery(writes ? 'models' : null, (signal) => ok(api.GET('/v1/models', { signal })))

  const save = useAction('bot.edit', async (operation, version: number, body: { instruction: string; settings: Settings; note?: string; publish: boolean }) => {
    try {
      const saved = await ok(api.PUT('/v1/bots/{bot_id}/instruction', { params: { path: { bot_id: bot.id } }, body, ...as(operation, { 'If-Match': `"${version}"` }) }))
      setBase(saved)
      setDraft(draftOf(saved))
      setNote('')
      setTheirs(null)
      onSaved(saved)
      toast(t(body.publish ? 'savedLive' : 'savedDraft', { version: `v${saved.current_version}` }))
      for (const warning of saved.warnings ?? []) toast(warning.message, 'bad')
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== 'VERSION_CONFLICT') throw thrown
      setTheirs(await ok(api.GET('/v1/bots/{bot_id}', { params: { path: { bot_id: bot.id } } })))
    }
  })
  const submit = (publish: boolean, version = base.current_version) => {
    const made = settingsOf(draft)
    if ('wrong' in made) return setWrong(made.wrong)
    setPressed(publish ? 'live' : 'draft')
    void save.run(version, { instruction: draft.instruction, settings: made.settings, ...(note.trim() && { note: note.trim() }), publish })
  }
  const error = (field: keyof Draft) => (wrong === field ? t(field === 'others' ? 'notJson' : 'notNumber') : fieldError(save.failure, field === 'instruction' ? field : `settings.${field}`))
  const otherError = error('others') ?? Object.entries(save.failure?.fields ?? {}).filter(([f]) => f.startsWith('settings') && !/^settings\.(model|temperature|max_output_tokens|history_limit|tools)/.test(f)).map(([f, m]) => `${f}: ${m}`)[0]

  return (
    <PageBody>
      <form class="editor" onSubmit={(e) => (e.preventDefault(), submit(true))}>
        <div class="editor-main">
          <FormError failure={save.failure} onRetry={() => submit(true)} />
          {!writes && <Notice icon="eye">{t('readOnly')}</Notice>}
          <TextArea label={t('instruction')} class="input area instruction" hint={t('instructionHint')} placeholder={t('instructionPlaceholder')} rows={18} required maxLength={50000} readOnly={!writes} value={draft.instruction} onInput={(instruction) => set({ instruction })} error={error('instruction')} />
        </div>
        <div class="editor-side">
          <Field label={t('model')} hint={t('modelHint')} error={error('model')}>
            {(attributes) => (
              <>
                <input class="input" {...attributes} list="models" maxLength={200} spellcheck={false} readOnly={!writes} placeholder={t('modelDefault')} value={draft.model} onInput={(e) => set({ model: e.currentTarget.value })} />
                <datalist id="models">
                  {models.data?.items.map((m) => <option key={m.id} value={m.id} />)}
                </datalist>
              </>
            )}
          </Field>
          <div class="fields">
            <TextField label={t('temperature')} inputMode="decimal" placeholder={t('byModel')} readOnly={!writes} value={draft.temperature} onInput={(temperature) => set({ temperature })} error={error('temperature')} />
            <TextField label={t('maxTokens')} inputMode="numeric" placeholder={t('byModel')} readOnly={!writes} value={draft.max_output_tokens} onInput={(max_output_tokens) => set({ max_output_tokens })} error={error('max_output_tokens')} />
          </div>
          <TextField label={t('history')} hint={t('historyHint')} inputMode="numeric" placeholder={t('historyAll')} readOnly={!writes} value={draft.history_limit} onInput={(history_limit) => set({ history_limit })} error={error('history_limit')} />
          <div class="editor-tools">
            <b>{t('tools')}</b>
            <Link to={`/bots/${bot.id}/tools`}>{draft.tools.length ? t('toolCount', { n: draft.tools.length }) : t('addTools')}</Link>
          </div>
          <details open={!!draft.others || !!otherError}>
            <summary>{t('others')}</summary>
            <TextArea label={t('othersLabel')} class="input area mono" hint={<>{t('othersHint')} <a href="/docs/reference/bots" target="_blank" rel="noopener">{t('reference')}</a></>} rows={6} spellcheck={false} readOnly={!writes} value={draft.others} onInput={(others) => set({ others })} error={otherError} />
          </details>
        </div>
        {writes && (
          <div class={`save-bar${dirty ? ' dirty' : ''}`}>
            <input class="input" aria-label={t('note')} placeholder={t('note')} maxLength={500} value={note} onInput={(e) => setNote(e.currentTarget.value)} dir="auto" />
            <span class="hint" role="status">{dirty ? t('unsaved') : t('allSaved', { version: `v${base.current_version}` })}</span>
            {dirty && <Button kind="quiet" onClick={() => (setDraft(draftOf(base)), setWrong(null), save.clear())}>{t('discard')}</Button>}
            <Button disabled={!dirty || (save.pending && pressed === 'live')} busy={save.pending && pressed === 'draft'} onClick={() => submit(false)}>{t('saveDraft')}</Button>
            <Button kind="primary" type="submit" disabled={!dirty || (save.pending && pressed === 'draft')} busy={save.pending && pressed === 'live'}>{t('saveLive')}</Button>
          </div>
        )}
      </form>
      {base.current_version !== base.published_version && (
        <p class="hint">
          {t('olderLive', { version: `v${base.published_version}` })} <Link to={`/bots/${bot.id}/versions`}>{t('versions')}</Link>
        </p>
      )}
      {theirs && (
        <Conflict
          mine={draft} theirs={theirs} busy={save.pending}
          onClose={() => setTheirs(null)}
          onMine={() => submit(true, theirs.current_version)}
          onTheirs={() => (setBase(theirs), setDraft(draftOf(theirs)), setTheirs(null), onSaved(theirs))}
        />
      )}
    </PageBody>
  )
}

interface ConflictProps {
  mine: Draft
  theirs: BotDetail
  busy: boolean
  onClose: () => void
  onMine: () => void
  onTheirs: () => void
}

// Conflict shows side by side what the person has written and what somebody else has saved meanwhile.
function Conflict({ mine, theirs, busy, onClose, onMine, onTheirs }: ConflictProps) {
  const other = draftOf(theirs)
  const lines = compareLines(other.instruction, mine.instruction)
  const settings = (d: Draft) => { const made = settingsOf(d); return 'settings' in made ? JSON.stringify(made.settings, Object.keys(made.settings).sort(), 2) : d.others }
  const changed = compareLines(settings(other), settings(mine))
  const side = (kind: 'added' | 'removed') => lines.filter((l) => l.kind === 'same' || l.kind === kind)
  return (
    <Dialog
      wide
      title={t('conflictTitle', { version: `v${theirs.current_version}` })}
      onClose={onClose}
      footer={
        <>
          <Button kind="quiet" onClick={onClose}>{t('editOn')}</Button>
          <Button onClick={onTheirs}>{t('takeTheirs')}</Button>
          <Button kind="primary" busy={busy} onClick={onMine}>{t('keepMine')}</Button>
        </>
      }
    >
      <p class="lead">{t('conflictText')}</p>
      <div class="sides">
        <div>
          <h3>{t('theirs', { version: `v${theirs.current_version}` })}</h3>
          <Diff label={t('theirs', { version: `v${theirs.current_version}` })} lines={side('removed')} />
        </div>
        <div>
          <h3>{t('mine')}</h3>
          <Diff label={t('mine')} lines={side('added')} />
        </div>
      </div>
      {changed.some((l) => l.kind !== 'same') && (
        <>
          <h3 class="spaced">{t('settings')}</h3>
          <Diff label={t('settings')} lines={changed} />
        </>
      )}
    </Dialog>
  )
}
