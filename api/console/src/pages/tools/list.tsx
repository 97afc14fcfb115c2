import { useEffect, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { usePages, useQuery } from '../../api/hooks'
import { may } from '../../api/permissions'
import { navigate, query, setQuery } from '../../router'
import { Button, EmptyState, Filter, Icon, LinkButton, Menu, Notice, PageBody, PageHeader, RowLink, SearchField, Table, When, type Column } from '../../ui'
import { t } from './messages'
import { Effect, Kind, State } from './status'

type Summary = Schemas['ToolSummary']

export function ToolsList() {
  const q = query('q') ?? ''
  const kind = query('kind') ?? ''
  const review = query('review') ?? ''
  const [text, setText] = useState(q)
  useEffect(() => {
    const timer = setTimeout(() => text.trim() !== q && setQuery({ q: text.trim() }), 200)
    return () => clearTimeout(timer)
  }, [text])
  const filters = { ...(q && { q }), ...(kind && { kind: kind as Schemas['ToolKind'] }), ...(review && { review: review as Schemas['ToolReviewStatus'] }) }
  const pages = usePages(`tools?${JSON.stringify(filters)}`, (cursor, signal) => ok(api.GET('/v1/tools', { params: { query: { limit: 100, ...filters, ...(cursor && { cursor }) } }, signal })))
  const waiting = useQuery('tools?waiting', async (signal) => (await ok(api.GET('/v1/tools', { params: { query: { limit: 1, review: 'waiting' } }, signal }))).items.length > 0)
  const columns: Column<Summary>[] = [
    {
      key: 'name', title: t('name'), width: 'minmax(0, 1fr)',
      cell: (tool) => <RowLink to={tool.review_status === 'waiting' ? `/tools/${tool.id}/review` : `/tools/${tool.id}`} icon="tool" name={tool.name} mono below={<small dir="auto">{tool.description}</small>} />,
    },
    { key: 'kind', title: t('kind'), width: '88px', wide: true, cell: (tool) => <Kind kind={tool.kind} /> },
    { key: 'effect', title: t('effect'), width: '150px', wide: true, cell: (tool) => <Effect effect={tool.effect} /> },
    { key: 'approval', title: t('approval'), width: '130px', wide: true, cell: (tool) => t(tool.effect === 'write' ? 'asks' : 'asksNot') },
    { key: 'state', title: t('state'), width: '136px', cell: (tool) => <State review={tool.review_status} /> },
    { key: 'updated', title: t('updated'), width: '100px', wide: true, end: true, cell: (tool) => <When at={tool.updated_at} /> },
  ]
  const filtered = !!(q || kind || review)
  const bare = !filtered && pages.data?.length === 0
  const actions = may('tools.write') && (
    <>
      <Menu
        label={t('import')} align="end" class="button plain"
        button={<><Icon name="upload" /><span class="label">{t('import')}</span></>}
        groups={[{ items: [{ label: t('fromOpenAPI'), icon: 'file', onSelect: () => void navigate('/tools/import') }, { label: t('fromMCP'), icon: 'plug', onSelect: () => void navigate('/tools/import/mcp') }] }]}
      />
      <LinkButton kind="primary" icon="plus" to="/tools/new">{t('newTool')}</LinkButton>
    </>
  )
  const empty = filtered ? (
    <EmptyState icon="search" title={t('nothingFound')} action={<Button onClick={() => (setText(''), setQuery({ q: null, kind: null, review: null }))}>{t('clearFilters')}</Button>} />
  ) : (
    <EmptyState
      icon="tool" title={t('emptyTitle')}
      action={may('tools.write') && (
        <>
          <LinkButton kind="primary" icon="plus" to="/tools/new">{t('newTool')}</LinkButton>
          <LinkButton icon="file" to="/tools/import">{t('fromOpenAPI')}</LinkButton>
          <LinkButton icon="plug" to="/tools/import/mcp">{t('fromMCP')}</LinkButton>
        </>
      )}
    >
      {t('emptyText')}
    </EmptyState>
  )
  return (
    <>
      <PageHeader title={t('title')} actions={!bare && actions} />
      <PageBody>
        {waiting.data && review !== 'waiting' && (
          <div class="above-table">
            <Notice tone="warn" icon="alert" action={<Button small onClick={() => (setText(''), setQuery({ review: 'waiting', q: null, kind: null }))}>{t('showThem')}</Button>}>{t('someWait')}</Notice>
          </div>
        )}
        {!bare && (
          <div class="toolbar">
            <SearchField label={t('search')} value={text} onInput={setText} />
            <Filter label={t('kind')} value={kind} onChange={(to) => setQuery({ kind: to })} options={[{ value: '', label: t('any') }, ...(['http', 'mcp', 'client'] as const).map((k) => ({ value: k, label: t(`kindShort_${k}`) }))]} />
            <Filter label={t('state')} value={review} onChange={(to) => setQuery({ review: to })} options={[{ value: '', label: t('any') }, { value: 'waiting', label: t('needsReview') }, { value: 'rejected', label: t('rejected') }]} />
          </div>
        )}
        <Table label={t('title')} columns={columns} pages={pages} rowKey={(tool) => tool.id} rowHeight={57} empty={empty} />
      </PageBody>
    </>
  )
}
