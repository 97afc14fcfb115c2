import { useEffect, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction, usePages } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { ago } from '../../i18n'
import { navigate, query, setQuery } from '../../router'
import { Button, EmptyState, fieldError, FormDialog, PageBody, PageHeader, RowLink, SearchField, Table, TextArea, TextField, type Column } from '../../ui'
import { t } from './messages'
import { BotStatus } from './status'

type Summary = Schemas['BotSummary']

export function BotsList() {
  const q = query('q') ?? ''
  const [text, setText] = useState(q)
  useEffect(() => {
    const timer = setTimeout(() => text.trim() !== q && setQuery({ q: text.trim() }), 200)
    return () => clearTimeout(timer)
  }, [text])
  const pages = usePages(`bots?${q}`, (cursor, signal) => ok(api.GET('/v1/bots', { params: { query: { limit: 100, ...(q && { q }), ...(cursor && { cursor }) } }, signal })))
  const columns: Column<Summary>[] = [
    {
      key: 'name', title: t('name'), width: 'minmax(0, 1fr)',
      cell: (bot) => <RowLink to={`/bots/${bot.id}`} icon="bot" name={bot.name} />,
    },
    { key: 'status', title: t('status'), width: '160px', cell: (bot) => <BotStatus bot={bot} /> },
    { key: 'versions', title: t('versions'), width: '120px', wide: true, cell: (bot) => t('viewVersions', { n: bot.current_version }) },
    { key: 'updated', title: t('updated'), width: '130px', wide: true, end: true, cell: (bot) => <time dateTime={bot.updated_at}>{ago(bot.updated_at)}</time> },
  ]
  const create = may('bots.write') && (
    <Button kind="primary" icon="plus" onClick={() => setQuery({ new: '1' })}>
      {t('newBot')}
    </Button>
  )
  const empty = q ? (
    <EmptyState icon="search" title={t('nothingFound')} action={<Button onClick={() => (setText(''), setQuery({ q: null }))}>{t('clearSearch')}</Button>} />
  ) : (
    <EmptyState icon="bot" title={t('emptyTitle')} action={create}>
      {t('emptyText')}
    </EmptyState>
  )
  const bare = !q && pages.data?.length === 0
  return (
    <>
      <PageHeader title={t('title')} actions={!bare && create} />
      <PageBody>
        {!bare && (
          <div class="toolbar">
            <SearchField label={t('search')} value={text} onInput={setText} />
          </div>
        )}
        <Table label={t('title')} columns={columns} pages={pages} rowKey={(bot) => bot.id} empty={empty} />
      </PageBody>
      {query('new') && may('bots.write') && <NewBot onClose={() => setQuery({ new: null })} />}
    </>
  )
}

function NewBot({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const [instruction, setInstruction] = useState('')
  const create = useAction('bot.create', async (operation, body: Schemas['CreateBotRequest']) => {
    const bot = await ok(api.POST('/v1/bots', { body, ...as(operation) }))
    invalidate('bots')
    invalidate('home')
    await navigate(`/bots/${bot.id}`)
  })
  const body = { name: name.trim(), ...(instruction.trim() && { instruction }) }
  return (
    <FormDialog title={t('newBot')} submit={t('create')} action={create} onSubmit={() => void create.run(body)} onClose={onClose}>
      <TextField label={t('name')} hint={t('nameHint')} value={name} onInput={setName} required maxLength={200} error={fieldError(create.failure, 'name')} />
      <TextArea label={t('instruction')} hint={t('instructionHint')} placeholder={t('instructionPlaceholder')} optional rows={7} maxLength={50000} value={instruction} onInput={setInstruction} error={fieldError(create.failure, 'instruction')} />
    </FormDialog>
  )
}
