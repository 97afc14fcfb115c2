import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction, usePages } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { ago, language, number } from '../../i18n'
import { navigate, query, setQuery } from '../../router'
import { Button, EmptyState, fieldError, FormDialog, PageBody, PageHeader, RowLink, Select, Table, TextArea, TextField, type Column } from '../../ui'
import { t } from './messages'
import { BaseState, type BaseOf } from './status'

export function BasesList() {
  const pages = usePages('bases', (cursor, signal) => ok(api.GET('/v1/knowledge-bases', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal })))
  const columns: Column<BaseOf>[] = [
    {
      key: 'name', title: t('name'), width: 'minmax(0, 1fr)',
      cell: (base) => <RowLink to={`/knowledge/${base.id}`} icon="book" name={base.name} below={base.description && <small dir="auto">{base.description}</small>} />,
    },
    { key: 'state', title: t('status'), width: '130px', cell: (base) => <BaseState counts={base.documents} /> },
    { key: 'documents', title: t('documents'), width: '110px', wide: true, end: true, cell: (base) => number(base.documents.total) },
    { key: 'chunks', title: t('chunks'), width: '110px', wide: true, end: true, cell: (base) => number(base.chunks) },
    { key: 'updated', title: t('updated'), width: '130px', wide: true, end: true, cell: (base) => <time dateTime={base.updated_at}>{ago(base.updated_at)}</time> },
  ]
  const create = may('knowledge.write') && (
    <Button kind="primary" icon="plus" onClick={() => setQuery({ new: '1' })}>
      {t('newBase')}
    </Button>
  )
  const bare = pages.data?.length === 0
  return (
    <>
      <PageHeader title={t('title')} actions={!bare && create} />
      <PageBody>
        <Table label={t('title')} columns={columns} pages={pages} rowKey={(base) => base.id} rowHeight={56} empty={<EmptyState icon="book" title={t('emptyTitle')} action={create}>{t('emptyText')}</EmptyState>} />
      </PageBody>
      {query('new') && may('knowledge.write') && <NewBase onClose={() => setQuery({ new: null })} />}
    </>
  )
}

const stems = ['english', 'russian', 'arabic', 'armenian', 'basque', 'catalan', 'danish', 'dutch', 'finnish', 'french', 'german', 'greek', 'hindi', 'hungarian', 'indonesian', 'irish', 'italian', 'lithuanian', 'nepali', 'norwegian', 'portuguese', 'romanian', 'serbian', 'spanish', 'swedish', 'tamil', 'turkish', 'yiddish'] as const
const codes: Record<(typeof stems)[number], string> = {
  english: 'en', russian: 'ru', arabic: 'ar', armenian: 'hy', basque: 'eu', catalan: 'ca', danish: 'da', dutch: 'nl', finnish: 'fi', french: 'fr', german: 'de', greek: 'el', hindi: 'hi', hungarian: 'hu', indonesian: 'id', irish: 'ga', italian: 'it', lithuanian: 'lt',
  nepali: 'ne', norwegian: 'no', portuguese: 'pt', romanian: 'ro', serbian: 'sr', spanish: 'es', swedish: 'sv', tamil: 'ta', turkish: 'tr', yiddish: 'yi',
}

// languageName names a language of a base in the language of the page.
export function languageName(of: Schemas['KnowledgeLanguage']): string {
  if (of === 'simple') return t('language_other')
  const name = new Intl.DisplayNames(language.value, { type: 'language' }).of(codes[of]) ?? of
  return name[0]!.toLocaleUpperCase(language.value) + name.slice(1)
}

function NewBase({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const [stem, setStem] = useState<string>(language.value === 'ru' ? 'russian' : 'english')
  const create = useAction('base.create', async (operation, body: Schemas['CreateKnowledgeBaseRequest']) => {
    const base = await ok(api.POST('/v1/knowledge-bases', { body, ...as(operation) }))
    invalidate('bases')
    invalidate('home')
    await navigate(`/knowledge/${base.id}`)
  })
  const body = { name: name.trim(), language: stem as Schemas['KnowledgeLanguage'], ...(description.trim() && { description: description.trim() }) }
  return (
    <FormDialog title={t('newBase')} submit={t('create')} action={create} onSubmit={() => void create.run(body)} onClose={onClose}>
      <TextField label={t('name')} value={name} onInput={setName} required maxLength={200} error={fieldError(create.failure, 'name')} />
      <TextArea label={t('description')} hint={t('descriptionHint')} optional rows={2} maxLength={2000} value={description} onInput={setDescription} error={fieldError(create.failure, 'description')} />
      <Select label={t('language')} hint={t('languageHint')} value={stem} onChange={setStem} options={[...stems, 'simple' as const].map((value) => ({ value, label: languageName(value) }))} error={fieldError(create.failure, 'language')} />
    </FormDialog>
  )
}
