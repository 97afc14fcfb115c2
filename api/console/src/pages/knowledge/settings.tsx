import { useEffect, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { guardLeaving, navigate } from '../../router'
import { Button, confirm, confirmLeaving, fieldError, FormError, messageOf, Section, TextArea, TextField, toast, useFailureToast } from '../../ui'
import { languageName } from './list'
import { t } from './messages'

type Base = Schemas['KnowledgeBase']
const formOf = (b: Base) => ({ name: b.name, description: b.description, model: b.embedding_model ?? '', size: String(b.chunk_size), overlap: String(b.chunk_overlap) })

// BaseSettings are the settings of a base; those who may not write read them.
export function BaseSettings({ base, set }: { base: Base; set: (to: Base) => void }) {
  const [form, setForm] = useState(formOf(base))
  const before = formOf(base)
  const dirty = JSON.stringify(form) !== JSON.stringify(before)
  const write = may('knowledge.write')
  const path = { knowledge_base_id: base.id }
  useEffect(() => (dirty ? guardLeaving(confirmLeaving) : undefined), [dirty])
  const edit = (key: keyof typeof form) => (to: string) => setForm({ ...form, [key]: to })

  const save = useAction('base.change', async (operation, body: Schemas['ChangeKnowledgeBaseRequest']) => {
    const after = await ok(api.PATCH('/v1/knowledge-bases/{knowledge_base_id}', { params: { path }, body, ...as(operation) }))
    set(after)
    setForm(formOf(after))
    invalidate('base')
    toast(body.chunk_size !== undefined || body.chunk_overlap !== undefined ? t('chunksChanged') : t('saved'))
  })
  const body: Schemas['ChangeKnowledgeBaseRequest'] = {
    ...(form.name !== before.name && { name: form.name.trim() }),
    ...(form.description !== before.description && { description: form.description.trim() }),
    ...(form.model.trim() !== before.model && { embedding_model: form.model.trim() || null }),
    ...((form.size !== before.size || form.overlap !== before.overlap) && { chunk_size: Number(form.size), chunk_overlap: Number(form.overlap) }),
  }
  const rebuild = useAction('base.reindex', async (operation) => {
    await ok(api.POST('/v1/knowledge-bases/{knowledge_base_id}/reindex', { params: { path }, body: {}, ...as(operation) }))
    invalidate('base')
    toast(t('reindexed'))
  })
  const remove = useAction('base.delete', async (operation, force: boolean) => {
    await ok(api.DELETE('/v1/knowledge-bases/{knowledge_base_id}', { params: { path, query: { ...(force && { force }) } }, ...as(operation) }))
    await navigate('/knowledge', { force: true })
    invalidate('base')
    invalidate('home')
    toast(t('deleted'))
  })
  const askToDelete = async () => {
    if (await confirm({ title: t('deleteBaseTitle', { name: base.name }), text: t('deleteBaseText'), yes: t('delete'), danger: true })) await remove.run(false)
  }
  useEffect(() => {
    const failure = remove.failure
    if (failure?.code !== 'KNOWLEDGE_BASE_IN_USE') return void (failure && toast(messageOf(failure), 'bad'))
    const bots = (failure.details?.bots as { name?: string }[] | undefined)?.map((b) => b.name ?? '').filter(Boolean) ?? []
    void confirm({ title: t('inUseTitle'), text: t('inUseText', { bots: bots.join(', ') }), yes: t('deleteAnyway'), danger: true }).then((yes) => void (yes && remove.run(true)))
  }, [remove.failure])
  useFailureToast(rebuild.failure)
  return (
    <>
      <Section title={t('general')}>
        <form onSubmit={(e) => (e.preventDefault(), dirty && void save.run(body))}>
          <FormError failure={save.failure} onRetry={() => void save.run(body)} />
          <TextField label={t('name')} value={form.name} onInput={edit('name')} required maxLength={200} readOnly={!write} error={fieldError(save.failure, 'name')} />
          <TextArea label={t('description')} hint={t('descriptionHint')} optional rows={2} maxLength={2000} value={form.description} onInput={edit('description')} readOnly={!write} error={fieldError(save.failure, 'description')} />
          <TextField label={t('model')} hint={`${t('modelHint')} ${t('changeModelHint')}`} optional maxLength={200} spellcheck={false} value={form.model} onInput={edit('model')} readOnly={!write} error={fieldError(save.failure, 'embedding_model')} />
          <TextField label={t('language')} hint={t('languageHint')} value={languageName(base.language)} onInput={() => {}} readOnly />
          <div class="fields">
            <TextField label={t('chunkSize')} hint={t('chunkSizeHint')} type="number" min={200} max={8000} required value={form.size} onInput={edit('size')} readOnly={!write} error={fieldError(save.failure, 'chunk_size')} />
            <TextField label={t('overlap')} hint={t('overlapHint')} type="number" min={0} max={2000} required value={form.overlap} onInput={edit('overlap')} readOnly={!write} error={fieldError(save.failure, 'chunk_overlap')} />
          </div>
          {write && (
            <div>
              <Button kind="primary" type="submit" busy={save.pending} disabled={!dirty}>
                {t('save')}
              </Button>
            </div>
          )}
        </form>
      </Section>
      {write && (
        <Section title={t('reindexBase')} hint={t('reindexBaseText')} actions={<Button icon="retry" busy={rebuild.pending} disabled={!base.documents.total} onClick={() => void rebuild.run()}>{t('reindex')}</Button>}>
          {null}
        </Section>
      )}
      {write && (
        <Section title={t('deleteBase')} hint={t('deleteBaseText')} actions={<Button kind="danger" icon="trash" busy={remove.pending} onClick={() => void askToDelete()}>{t('delete')}</Button>}>
          {null}
        </Section>
      )}
    </>
  )
}
