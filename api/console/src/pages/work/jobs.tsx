import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { usePages } from '../../api/hooks'
import { number } from '../../i18n'
import { query, setQuery } from '../../router'
import { At, Badge, Button, Code, Dialog, EmptyState, Facts, Filter, Id, RowLink, Segments, Table, When, type Column } from '../../ui'
import { t } from './messages'

type Job = Schemas['Job']
const tones = { queued: 'plain', running: 'accent', done: 'good' } as const
const statuses = ['queued', 'running', 'done'] as const

// kinds are those of the jobs of this release; another one is shown by its name.
export const kinds = ['document.ingest', 'webhook.answer', 'webhook.deliver', 'mail.send', 'workspace.export', 'limit.warn', 'thread.erase', 'thread.expire', 'bot.erase_threads', 'file.erase', 'file.remove_bytes']
const names: Record<string, Parameters<typeof t>[0]> = {
  'document.ingest': 'kindIngest', 'webhook.answer': 'kindAnswer', 'webhook.deliver': 'kindDeliver', 'mail.send': 'kindMail', 'workspace.export': 'kindExport', 'limit.warn': 'kindWarn',
  'thread.erase': 'kindErase', 'thread.expire': 'kindExpire', 'bot.erase_threads': 'kindEraseBot', 'file.erase': 'kindFile', 'file.remove_bytes': 'kindFile',
}
export const kindName = (kind: string) => (names[kind] ? t(names[kind]) : kind)

export function KindFilter({ value, onChange }: { value: string; onChange: (to: string) => void }) {
  return <Filter label={t('kind')} value={value} onChange={onChange} options={[{ value: '', label: t('allKinds') }, ...kinds.map((k) => ({ value: k, label: k }))]} />
}

export function Jobs() {
  const status = statuses.find((s) => s === query('status'))
  const kind = query('kind') ?? ''
  const [open, setOpen] = useState<Job | null>(null)
  const pages = usePages(`jobs?${status ?? ''}&${kind}`, (cursor, signal) => ok(api.GET('/v1/jobs', { params: { query: { limit: 100, ...(status && { status }), ...(kind && { kind }), ...(cursor && { cursor }) } }, signal })))
  const columns: Column<Job>[] = [
    {
      key: 'kind', title: t('job'), width: 'minmax(0, 1fr)',
      cell: (j) => <RowLink onClick={() => setOpen(j)} name={kindName(j.kind)} below={<small class="mono">{j.kind}</small>} />,
    },
    { key: 'error', title: t('lastError'), width: 'minmax(0, 1.2fr)', wide: true, cell: (j) => j.last_error && <span class="one-line" dir="auto">{j.last_error}</span> },
    { key: 'status', title: t('status'), width: '110px', cell: (j) => <Badge tone={j.status === 'queued' && j.failures ? 'warn' : tones[j.status]} dot>{t(j.status === 'queued' && j.failures ? 'retrying' : j.status)}</Badge> },
    { key: 'failures', title: t('failures'), width: '90px', wide: true, end: true, cell: (j) => (j.failures ? t('ofMax', { n: j.failures, max: number(j.max_attempts) }) : '—') },
    { key: 'made', title: t('made'), width: '100px', wide: true, end: true, cell: (j) => <When at={j.created_at} /> },
  ]
  return (
    <>
      <div class="toolbar">
        <Segments label={t('status')} value={status ?? ''} options={[{ value: '', label: t('viewAll') }, ...statuses.map((s) => ({ value: s, label: t(s) }))]} onChange={(to) => setQuery({ status: to })} />
        <KindFilter value={kind} onChange={(to) => setQuery({ kind: to })} />
        <Button kind="quiet" icon="retry" onClick={pages.reload}>{t('refresh')}</Button>
      </div>
      <Table label={t('jobs')} columns={columns} pages={pages} rowKey={(j) => j.id} rowHeight={57} empty={<EmptyState icon="work" title={status || kind ? t('noneMatch') : t('noJobs')}>{t('noJobsText')}</EmptyState>} />
      {open && (
        <Dialog side title={kindName(open.kind)} onClose={() => setOpen(null)}>
          <div class="stacked">
            <Facts
              facts={[
                [t('status'), t(open.status)],
                [t('kind'), <code>{open.kind}</code>],
                [t('key'), <code>{open.key}</code>],
                [t('failures'), t('ofMax', { n: open.failures, max: number(open.max_attempts) })],
                [t('made'), <At at={open.created_at} />],
                open.status === 'queued' ? [t('runsAt'), <At at={open.run_at} />] : null,
                open.started_at ? [t('started'), <At at={open.started_at} />] : null,
                open.finished_at ? [t('finished'), <At at={open.finished_at} />] : null,
                [t('traceId'), <Id id={open.trace_id} label={t('copyId')} />],
                open.operation_id ? [t('operation'), <Id id={open.operation_id} label={t('copyId')} />] : null,
              ]}
            />
            {open.last_error && (
              <div>
                <h3>{t('lastError')}</h3>
                <Code label={t('lastError')} text={open.last_error} />
              </div>
            )}
          </div>
        </Dialog>
      )}
    </>
  )
}
