import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { asFailure } from '../../api/errors'
import { usePages, useQuery } from '../../api/hooks'
import { saveAs } from '../../api/save'
import { bytes, date } from '../../i18n'
import { navigate, query, setQuery } from '../../router'
import { Button, EmptyState, messageOf, Notice, PageBody, PageHeader, Reading, toast } from '../../ui'
import { t as ui } from '../../ui/messages'
import { remedyOf, t } from './messages'
import { DocumentState, kindOf, working, type Document } from './status'
import { markedParts, unitsOf } from './text'

// Cited finds the base of a document that an answer has cited, in the searches of its turn, and shows the document there.
export function Cited({ document }: { document: string }) {
  const [thread, turn] = [query('thread') ?? '', query('turn') ?? '']
  const found = useQuery(`cited ${thread} ${turn} ${document}`, async (signal) => {
    const all = await ok(api.GET('/v1/conversations/threads/{thread_id}/turns/{turn_id}/retrievals', { params: { path: { thread_id: thread, turn_id: turn } }, signal }))
    return all.items.flatMap((r) => r.candidates).find((c) => c.document_id === document)?.knowledge_base_id ?? ''
  })
  useEffect(() => {
    if (!found.data) return
    const range = [query('start') && `start=${query('start')}`, query('end') && `end=${query('end')}`].filter(Boolean).join('&')
    void navigate(`/knowledge/${found.data}/${document}${range && `?${range}`}`, { replace: true })
  }, [found.data])
  return (
    <>
      <PageHeader title={t('title')} />
      <PageBody>{found.data === '' ? <Gone base="" /> : <Reading of={found} gone={<Gone base="" />} lines={6} tall />}</PageBody>
    </>
  )
}

// DocumentPage is the text of a document, with its chunks and the range that the address has.
export function DocumentPage({ base, id }: { base: string; id: string }) {
  const path = { knowledge_base_id: base, document_id: id }
  const head = useQuery(`base ${base} document ${id}`, (signal) => ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}', { params: { path }, signal })))
  const name = useQuery(`base ${base}`, (signal) => ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}', { params: { path: { knowledge_base_id: base } }, signal })))
  const d = head.data
  const busy = !!d && working(d.status)
  useEffect(() => {
    if (!busy || head.loading) return
    const timer = setTimeout(head.reload, 1500)
    return () => clearTimeout(timer)
  }, [busy, head.loading, head.data])
  const crumb = { to: `/knowledge/${base}`, label: name.data?.name ?? t('title') }
  if (!d) {
    return (
      <>
        <PageHeader title={t('documents')} crumb={crumb} />
        <PageBody><Reading of={head} gone={<Gone base={base} />} lines={6} tall /></PageBody>
      </>
    )
  }
  return (
    <>
      <PageHeader title={d.title} crumb={crumb} badge={<DocumentState document={d} />} actions={d.file_id && <Download document={d} />} />
      <PageBody>
        <p class="facts">
          <span>{kindOf(d.content_type)}</span>
          <span>{bytes(d.size)}</span>
          {d.pages !== null && <span>{t('nPages', { n: d.pages })}</span>}
          <span>{t('nCharacters', { n: d.characters })}</span>
          <span>{t('nChunks', { n: d.chunks })}</span>
          {d.indexed_at && (
            <span>
              {t('indexed')} <time dateTime={d.indexed_at}>{date(d.indexed_at)}</time>
            </span>
          )}
        </p>
        {d.status === 'failed' && (
          <div class="after-facts">
            <Notice tone="bad" icon="alert">
              <p>{remedyOf(d.error?.code ?? '')}</p>
              {d.error && <small dir="auto"><code>{d.error.code}</code> {d.error.message}</small>}
            </Notice>
          </div>
        )}
        {d.indexed_at ? <Reader document={d} /> : d.status !== 'failed' && <EmptyState icon="clock" title={t(d.status)}>{t('notIndexed')}</EmptyState>}
      </PageBody>
    </>
  )
}

function Gone({ base }: { base: string }) {
  return (
    <EmptyState icon="file" title={t('documentGone')} action={<Button onClick={() => void navigate(base ? `/knowledge/${base}` : '/knowledge')}>{base ? t('documents') : t('toBases')}</Button>}>
      {t('documentGoneText')}
    </EmptyState>
  )
}

function Download({ document: d }: { document: Document }) {
  const [busy, setBusy] = useState(false)
  const fetchIt = async () => {
    setBusy(true)
    try {
      const file = { file_id: d.file_id! }
      const [about, content] = await Promise.all([ok(api.GET('/v1/files/{file_id}', { params: { path: file } })), ok(api.GET('/v1/files/{file_id}/content', { params: { path: file }, parseAs: 'blob' }))])
      saveAs(content as unknown as Blob, about.name)
    } catch (thrown) {
      toast(messageOf(asFailure(thrown)), 'bad')
    } finally {
      setBusy(false)
    }
  }
  return <Button icon="external" busy={busy} onClick={() => void fetchIt()}>{t('download')}</Button>
}

const around = 30_000 // units of text that are shown before and after the passage, and more at a time

function Reader({ document: d }: { document: Document }) {
  const path = { knowledge_base_id: d.knowledge_base_id, document_id: d.id }
  const text = useQuery(`base ${d.knowledge_base_id} document ${d.id} text ${d.indexed_at}`, (signal) => ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}/text', { params: { path }, signal })))
  const chunks = usePages(`base ${d.knowledge_base_id} document ${d.id} chunks ${d.indexed_at}`, (cursor, signal) => ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}/chunks', { params: { path, query: { limit: 100, ...(cursor && { cursor }) } }, signal })))
  const [start, end] = [Number(query('start') ?? NaN), Number(query('end') ?? NaN)]
  return (
    <div class="reader">
      <section class="reader-text" aria-label={t('textOf')}>
        {text.data ? <Passage text={text.data.text} start={start} end={end} /> : <Reading of={text} lines={10} />}
      </section>
      <aside class="reader-chunks" aria-label={t('chunksOf')}>
        <h2>{t('chunksOf')}</h2>
        {!chunks.data ? (
          <Reading of={chunks} lines={6} />
        ) : (
          <>
            <ol>
              {chunks.data.map((c) => (
                <ChunkItem key={c.id} chunk={c} current={c.start === start && c.end === end} />
              ))}
            </ol>
            {chunks.hasMore && <Button kind="quiet" small onClick={chunks.more}>{ui('more')}</Button>}
          </>
        )}
      </aside>
    </div>
  )
}

function ChunkItem({ chunk: c, current }: { chunk: Schemas['Chunk']; current: boolean }) {
  return (
    <li>
      <button type="button" aria-current={current || undefined} onClick={() => setQuery({ start: String(c.start), end: String(c.end) })}>
        <span class="chunk-head">
          <b>{t('chunkN', { n: c.ordinal + 1 })}</b>
          <small>{[c.page !== null && t('page', { n: c.page }), t('nCharacters', { n: c.end - c.start })].filter(Boolean).join(' · ')}</small>
        </span>
        <span class="chunk-text" dir="auto">{c.headings.length ? c.headings.join(' › ') : c.text.slice(0, 140)}</span>
      </button>
    </li>
  )
}

// Passage is a text with the passage that the address has, in view. Of a long text what is around it is shown.
function Passage({ text, start, end }: { text: string; start: number; end: number }) {
  const units = useMemo(() => unitsOf(text), [text])
  const wanted = Number.isFinite(start) && Number.isFinite(end) && end > start
  const [from, to] = wanted ? [units(start), units(end)] : [0, 0]
  const present = wanted && to > from
  const [window, setWindow] = useState<[number, number]>([0, 0])
  const mark = useRef<HTMLElement>(null)
  const focused = useRef(false)
  useEffect(() => {
    setWindow(([a, b]) => (b && present && from >= a && to <= b ? [a, b] : [cut(text, from - around), cut(text, Math.max(to, from) + around * 2)]))
  }, [text, from, to])
  useEffect(() => {
    const element = mark.current
    if (!present || !element) return
    element.scrollIntoView({ block: 'center' })
    if (!focused.current) element.focus({ preventScroll: true })
    focused.current = true
  }, [from, to, window, present])
  const [a, b] = window
  const parts = markedParts(text.slice(a, b), present ? [[from - a, to - a]] : [])
  return (
    <>
      {wanted && !present && <p class="hint">{t('noRange')}</p>}
      {a > 0 && <Button small kind="quiet" onClick={() => setWindow([cut(text, a - around), b])}>{t('showEarlier')}</Button>}
      <div class="reader-body" dir="auto">
        {parts.map((part, i) =>
          part.marked ? (
            <mark key={i} ref={mark} tabIndex={-1} aria-label={t('cited')}>
              {part.text}
            </mark>
          ) : (
            part.text
          ),
        )}
      </div>
      {b < text.length && b > 0 && <Button small kind="quiet" onClick={() => setWindow([a, cut(text, b + around)])}>{t('showLater')}</Button>}
    </>
  )
}

// cut moves a place in a text to the next line, or within it: never into the middle of a code point.
function cut(text: string, at: number): number {
  if (at <= 0) return 0
  if (at >= text.length) return text.length
  const line = text.indexOf('\n', at)
  if (line >= 0 && line - at < 2000) return line + 1
  return /[\udc00-\udfff]/.test(text[at]!) ? at + 1 : at
}
