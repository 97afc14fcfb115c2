import { useEffect, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { usePages, useQuery } from '../../api/hooks'
import { may } from '../../api/permissions'
import { query, setQuery } from '../../router'
import { Badge, Button, Checkbox, type Column, EmptyState, Icon, IconButton, PageBody, PageHeader, Select, Table, TextField, When } from '../../ui'
import { EntryPanel } from './entry'
import { ExportButton } from './export'
import { t } from './messages'
import { rowsOf, useRows, type Row } from './runs'
import './styles.css'
import { VerifyDialog } from './verify'

export type Entry = Schemas['AuditEntry']
const types = ['api_key', 'bot', 'document', 'end_user', 'file', 'invitation', 'job', 'knowledge_base', 'member', 'model_key', 'model_settings', 'session', 'thread', 'tool', 'tool_call', 'turn', 'user', 'webhook_endpoint', 'webhook_subscription', 'workspace']
const names = ['action', 'resource_type', 'user_id', 'api_key_id', 'resource_id', 'operation_id', 'from', 'to'] as const
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

// filtersOf returns the filters of the address, as the API takes them: days become moments.
function filtersOf() {
  const filters: Partial<Record<(typeof names)[number], string>> = {}
  for (const name of names) {
    const value = query(name)
    if (!value || (name.endsWith('_id') && !uuid.test(value))) continue
    if (name !== 'from' && name !== 'to') filters[name] = value
    else if (/^\d{4}-\d{2}-\d{2}$/.test(value)) {
      const at = new Date(`${value}T00:00:00`)
      if (name === 'to') at.setDate(at.getDate() + 1)
      filters[name] = at.toISOString()
    }
  }
  return filters
}

// useActors returns who may stand in the log: members, and keys where they may be read.
function useActors() {
  return useQuery('actors', async (signal) => {
    const [members, keys] = await Promise.all([ok(api.GET('/v1/members', { params: { query: { limit: 100 } }, signal })), may('keys.manage') ? ok(api.GET('/v1/api-keys', { params: { query: { limit: 100 } }, signal })) : null])
    return { members: members.items, keys: keys?.items ?? [] }
  })
}

export default function Audit() {
  const filters = filtersOf()
  const key = JSON.stringify(filters)
  const [open, setOpen] = useState<Entry | null>(null)
  const [verifying, setVerifying] = useState(false)
  const [action, setAction] = useState(filters.action ?? '')
  useEffect(() => {
    const timer = setTimeout(() => action.trim() !== (query('action') ?? '') && setQuery({ action: action.trim() }), 300)
    return () => clearTimeout(timer)
  }, [action])
  const actors = useActors()
  const pages = usePages(`audit?${key}`, (cursor, signal) => ok(api.GET('/v1/audit-log', { params: { query: { limit: 100, ...filters, ...(cursor && { cursor }) } }, signal })))
  const actorOf = (e: Entry) => {
    if (e.user_id) return actors.data?.members.find((m) => m.user_id === e.user_id)?.email ?? t('formerMember')
    if (e.api_key_id) return actors.data?.keys.find((k) => k.id === e.api_key_id)?.name ?? t('someKey')
    return t('server')
  }
  const together = query('repeats') !== 'each'
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set())
  const toggle = (key: string) => setOpened((all) => new Set(all.has(key) ? [...all].filter((k) => k !== key) : [...all, key]))
  const { shown, resume } = useRows(pages, pages.data && (together ? rowsOf(pages.data, opened) : pages.data.map((entry) => ({ key: entry.id, entry }))))
  const same = (row: Row, of: (e: Entry) => string | null) => !row.run || row.run.every((e) => of(e) === of(row.entry))
  const columns: Column<Row>[] = [
    {
      key: 'action', title: t('action'), width: 'minmax(0, 1.2fr)',
      cell: ({ key, entry: e, run, inRun }) =>
        run ? (
          <button type="button" class={`row-link run${opened.has(key) ? ' open' : ''}`} aria-expanded={opened.has(key)} onClick={() => toggle(key)}>
            <Icon name="right" size={14} />
            <b class="mono">{e.action}</b>
            <Badge>{t('times', { n: run.length })}</Badge>
          </button>
        ) : (
          <button type="button" class={`row-link${inRun ? ' in-run' : ''}`} aria-haspopup="dialog" onClick={() => setOpen(e)}>
            <b class="mono">{e.action}</b>
          </button>
        ),
    },
    { key: 'who', title: t('who'), width: 'minmax(0, 1.2fr)', cell: ({ entry }) => <span dir="auto">{actorOf(entry)}</span> },
    { key: 'resource', title: t('resource'), width: 'minmax(0, 1fr)', wide: true, cell: (row) => <>{row.entry.resource_type} {row.entry.resource_id && same(row, (e) => e.resource_id) && <code>…{row.entry.resource_id.slice(-6)}</code>}</> },
    { key: 'ip', title: t('ip'), width: '130px', wide: true, cell: (row) => (same(row, (e) => e.ip) ? (row.entry.ip ?? '—') : t('several')) },
    { key: 'at', title: t('when'), width: '96px', end: true, cell: ({ entry }) => <When at={entry.created_at} /> },
  ]
  const some = Object.keys(filters).length > 0
  const clear = () => {
    setAction('')
    setQuery(Object.fromEntries(names.map((n) => [n, null])))
  }
  const who = filters.user_id ? `user_id:${filters.user_id}` : filters.api_key_id ? `api_key_id:${filters.api_key_id}` : ''
  const people = [...(actors.data?.members ?? []).map((m) => ({ value: `user_id:${m.user_id}`, label: m.email })), ...(actors.data?.keys ?? []).map((k) => ({ value: `api_key_id:${k.id}`, label: t('keyNamed', { name: k.name }) }))]
  const type = filters.resource_type ?? ''
  return (
    <>
      <PageHeader
        title={t('title')}
        actions={
          <>
            <Button icon="shield" onClick={() => setVerifying(true)}>
              {t('verify')}
            </Button>
            <ExportButton filters={filters} />
          </>
        }
      />
      <PageBody>
        <div class="filters" role="search" aria-label={t('filters')}>
          <TextField label={t('action')} placeholder="bot.create" maxLength={100} dir="ltr" value={action} onInput={setAction} />
          <Select label={t('resource')} value={type} onChange={(to) => setQuery({ resource_type: to })} options={[{ value: '', label: t('any') }, ...[...new Set([...types, ...(type ? [type] : [])])].map((x) => ({ value: x, label: x }))]} />
          <Select
            label={t('who')}
            value={who}
            onChange={(to) => {
              const [name, id] = to.split(':')
              setQuery({ user_id: null, api_key_id: null, ...(name && { [name]: id ?? null }) })
            }}
            options={[{ value: '', label: t('anybody') }, ...(who && !people.some((p) => p.value === who) ? [{ value: who, label: t('formerMember') }] : []), ...people]}
          />
          <TextField label={t('from')} type="date" value={query('from') ?? ''} onInput={(to) => setQuery({ from: to })} />
          <TextField label={t('to')} type="date" value={query('to') ?? ''} onInput={(to) => setQuery({ to })} />
        </div>
        <div class="together">
          <Checkbox label={t('together')} checked={together} onChange={(to) => setQuery({ repeats: to ? null : 'each' })} />
        </div>
        {(some || filters.operation_id || filters.resource_id) && (
          <div class="chosen">
            {(['operation_id', 'resource_id'] as const).map((name) => filters[name] && (
              <Badge key={name} tone="accent">
                {t(name)} <code>{filters[name]}</code>
                <IconButton small icon="x" label={t('removeFilter', { name: t(name) })} onClick={() => setQuery({ [name]: null })} />
              </Badge>
            ))}
            <Button kind="quiet" small icon="x" onClick={clear}>
              {t('clear')}
            </Button>
          </div>
        )}
        <Table label={t('title')} columns={columns} pages={shown} rowKey={(row) => row.key} rowHeight={43} empty={<EmptyState icon="shield" title={some ? t('noneMatch') : t('empty')} action={some && <Button onClick={clear}>{t('clear')}</Button>}>{some ? undefined : t('emptyText')}</EmptyState>} />
        {resume && (
          <div class="older">
            <Button small kind="quiet" onClick={resume}>{t('older', { n: pages.data?.length ?? 0 })}</Button>
          </div>
        )}
      </PageBody>
      {open && (
        <EntryPanel
          entry={open}
          actor={actorOf(open)}
          onClose={() => setOpen(null)}
          onFilter={(name, id) => {
            setOpen(null)
            setQuery({ [name]: id })
          }}
        />
      )}
      {verifying && <VerifyDialog onClose={() => setVerifying(false)} />}
    </>
  )
}
