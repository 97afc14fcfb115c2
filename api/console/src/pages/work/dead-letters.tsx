import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction, usePages, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { navigate, query, setQuery } from '../../router'
import { asText, At, Button, Code, confirm, Dialog, EmptyState, Facts, FormError, Id, messageOf, Reading, RowLink, Table, toast, When, type Column } from '../../ui'
import { kindName, KindFilter } from './jobs'
import { t } from './messages'

type Letter = Schemas['DeadLetter']

export function DeadLetters({ open }: { open: string | undefined }) {
  const kind = query('kind') ?? ''
  const search = kind && `?kind=${encodeURIComponent(kind)}`
  const pages = usePages(`dead-letters?${kind}`, (cursor, signal) => ok(api.GET('/v1/dead-letters', { params: { query: { limit: 100, ...(kind && { kind }), ...(cursor && { cursor }) } }, signal })))
  const retryAll = useAction('dead-letters.retry', async (operation, body: Schemas['RetryDeadLettersRequest']) => {
    const done = await ok(api.POST('/v1/dead-letters/retry', { body, ...as(operation) }))
    toast(t(done.has_more ? 'retriedMore' : 'retriedAll', { n: done.items.length }))
    invalidate('dead-letters')
    invalidate('jobs')
  })
  const columns: Column<Letter>[] = [
    {
      key: 'kind', title: t('job'), width: 'minmax(0, 1fr)',
      cell: (l) => <RowLink to={`/work/dead-letters/${l.id}${search}`} icon="alert" name={kindName(l.kind)} below={<small class="mono">{l.kind}</small>} />,
    },
    { key: 'error', title: t('lastError'), width: 'minmax(0, 1.4fr)', wide: true, cell: (l) => <span class="one-line" dir="auto">{l.last_error}</span> },
    { key: 'failures', title: t('failures'), width: '90px', wide: true, end: true, cell: (l) => l.failures },
    { key: 'at', title: t('givenUp'), width: '110px', end: true, cell: (l) => <When at={l.created_at} /> },
  ]
  const some = (pages.data?.length ?? 0) > 0
  const ask = async () => {
    if (await confirm({ title: kind ? t('retryKindTitle', { kind }) : t('retryAllTitle'), text: t('retryAllText'), yes: t('retry') })) void retryAll.run(kind ? { kind } : {})
  }
  return (
    <>
      {(some || kind) && (
        <div class="toolbar">
          <KindFilter value={kind} onChange={(to) => setQuery({ kind: to })} />
          {some && may('jobs.manage') && (
            <Button icon="retry" busy={retryAll.pending} onClick={() => void ask()}>
              {t('retryAll')}
            </Button>
          )}
        </div>
      )}
      <FormError failure={retryAll.failure} onRetry={() => void retryAll.run(kind ? { kind } : {})} />
      <Table label={t('deadLetters')} columns={columns} pages={pages} rowKey={(l) => l.id} rowHeight={57} empty={<EmptyState icon="check" title={kind ? t('noneMatch') : t('noLetters')}>{t('noLettersText')}</EmptyState>} />
      {open && <LetterPanel key={open} id={open} onClose={() => void navigate(`/work/dead-letters${search}`)} />}
    </>
  )
}

function LetterPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const path = { dead_letter_id: id }
  const letter = useQuery(`dead-letter/${id}`, (signal) => ok(api.GET('/v1/dead-letters/{dead_letter_id}', { params: { path }, signal })))
  const gone = (said: string) => {
    toast(said)
    invalidate('dead-letters')
    invalidate('jobs')
    onClose()
  }
  const retry = useAction(`dead-letter.retry.${id}`, async (operation) => {
    await ok(api.POST('/v1/dead-letters/{dead_letter_id}/retry', { params: { path }, body: {}, ...as(operation) }))
    gone(t('queuedAgain'))
  })
  const discard = useAction(`dead-letter.discard.${id}`, async (operation) => {
    await ok(api.DELETE('/v1/dead-letters/{dead_letter_id}', { params: { path }, ...as(operation) }))
    gone(t('discarded'))
  })
  const l = letter.data
  const failure = retry.failure ?? discard.failure
  const ask = async () => {
    if (await confirm({ title: t('discardTitle'), text: t('discardText'), yes: t('discard'), danger: true })) void discard.run()
  }
  return (
    <Dialog
      side
      title={l ? kindName(l.kind) : t('deadLetter')}
      onClose={onClose}
      footer={
        l && may('jobs.manage') && (
          <>
            <Button kind="quiet-danger" icon="trash" busy={discard.pending} onClick={() => void ask()}>
              {t('discard')}
            </Button>
            <Button kind="primary" icon="retry" busy={retry.pending} onClick={() => void retry.run()}>
              {t('retry')}
            </Button>
          </>
        )
      }
    >
      {!l ? (
        <Reading of={letter} lines={6} tall />
      ) : (
        <div class="stacked">
          {failure && <FormError failure={failure.code === 'CONFLICT' ? Object.assign(Object.create(failure) as typeof failure, { message: `${messageOf(failure)} ${t('conflictHint')}` }) : failure} />}
          <Facts
            facts={[
              [t('kind'), <code>{l.kind}</code>],
              [t('key'), <code>{l.key}</code>],
              [t('failures'), l.failures],
              [t('givenUp'), <At at={l.created_at} />],
              [t('traceId'), <Id id={l.trace_id} label={t('copyId')} />],
              l.operation_id ? [t('operation'), <Id id={l.operation_id} label={t('copyId')} />] : null,
            ]}
          />
          <div>
            <h3>{t('errors')}</h3>
            <ol class="list">
              {l.errors.map((e) => (
                <li key={e.attempt}>
                  <div class="item">
                    <span dir="auto">{e.error}</span>
                    <small>
                      <At at={e.at} />
                    </small>
                  </div>
                </li>
              ))}
            </ol>
          </div>
          <div>
            <h3>{t('input')}</h3>
            <Code label={t('input')} text={asText(l.payload)} />
          </div>
        </div>
      )}
    </Dialog>
  )
}
