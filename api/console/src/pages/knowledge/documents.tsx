import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction, usePages } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { ago, bytes, number } from '../../i18n'
import { guardLeaving, Link } from '../../router'
import { Button, confirm, Dialog, fieldError, FormDialog, Icon, IconButton, messageOf, Notice, RowLink, Table, TextArea, TextField, toast, useFailureToast, type Column } from '../../ui'
import { t as ui } from '../../ui/messages'
import { remedyOf, t } from './messages'
import { DocumentState, kindOf, working, type Document } from './status'
import { drop, finished, retry, upload, uploads, type Upload } from './upload'

// Documents are those of a base: adding by a drop, by a button and as a text, and how far each is.
export function Documents({ base, onAsk }: { base: Schemas['KnowledgeBase']; onAsk: () => void }) {
  const path = { knowledge_base_id: base.id }
  const read = (cursor: string | undefined, signal: AbortSignal) => ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}/documents', { params: { path, query: { limit: 100, ...(cursor && { cursor }) } }, signal }))
  const pages = usePages(`base ${base.id} documents`, read)
  const rows = pages.data ?? []
  useLive(base, pages.data, pages.set)
  const [pasting, setPasting] = useState(false)
  const [shown, setShown] = useState<Document | null>(null)
  const picker = useRef<HTMLInputElement>(null)
  const write = may('knowledge.write')
  const busy = uploads.value.some((u) => u.base === base.id && u.phase !== 'failed')
  useEffect(() => {
    if (finished.value.base !== base.id) finished.value = { base: base.id, documents: [] }
  }, [base.id])
  useEffect(() => {
    if (!busy) return
    return guardLeaving(() => true) // a move within the console stops nothing; the browser asks before it closes
  }, [busy])

  const changed = () => (invalidate(`base`), invalidate('home'))
  const remove = useAction('document.delete', async (operation, id: string) => (await ok(api.DELETE('/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}', { params: { path: { ...path, document_id: id } }, ...as(operation) })), true))
  const reindex = useAction('document.reindex', (operation, id: string) => ok(api.POST('/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}/reindex', { params: { path: { ...path, document_id: id } }, body: {}, ...as(operation) })))
  const failure = remove.failure ?? reindex.failure
  useFailureToast(failure)

  const ask = async (d: Document) => {
    if (!(await confirm({ title: t('deleteDocument', { title: d.title }), text: t('deleteDocumentText'), yes: t('delete'), danger: true }))) return
    if (!(await remove.run(d.id))) return
    setShown(null)
    pages.set(rows.filter((x) => x.id !== d.id))
    changed()
  }
  const again = async (d: Document) => {
    if (!(await reindex.run(d.id))) return
    setShown(null)
    toast(t('reindexed'))
    changed()
  }
  const columns: Column<Document>[] = [
    {
      key: 'title', title: t('docTitle'), width: 'minmax(0, 1fr)',
      cell: (d) => <RowLink to={`/knowledge/${base.id}/${d.id}`} icon="file" name={d.title} />,
    },
    {
      key: 'status', title: t('status'), width: 'minmax(122px, 0.5fr)',
      cell: (d) => (d.status === 'failed' ? <span class="doc-state"><DocumentState document={d} /><button type="button" class="text-link above" onClick={() => setShown(d)}>{t('why')}</button></span> : <DocumentState document={d} />),
    },
    { key: 'type', title: t('kind'), width: '92px', wide: true, cell: (d) => kindOf(d.content_type) },
    { key: 'size', title: t('size'), width: '84px', wide: true, end: true, cell: (d) => bytes(d.size) },
    { key: 'chunks', title: t('chunks'), width: '84px', wide: true, end: true, cell: (d) => number(d.chunks) },
    { key: 'added', title: t('addedAt'), width: '110px', wide: true, end: true, cell: (d) => <time dateTime={d.created_at}>{ago(d.created_at)}</time> },
  ]
  if (write) {
    columns.push({
      key: 'actions', title: t('delete'), width: '54px', end: true,
      cell: (d) => (
        <span class="above">
          <IconButton small icon="trash" label={`${t('delete')}: ${d.title}`} disabled={d.status === 'deleting'} onClick={() => void ask(d)} />
        </span>
      ),
    })
  }
  const bare = pages.data?.length === 0
  return (
    <>
      <Ready base={base} rows={rows} onAsk={onAsk} />
      {write && <DropZone base={base.id} input={picker} large={bare} onPaste={() => setPasting(true)} />}
      <Uploads base={base.id} />
      {(!bare || !write) && (
        <div class="documents">
          <Table label={t('documents')} columns={columns} pages={pages} rowKey={(d) => d.id} empty={<p class="hint">{t('noDocuments')}</p>} />
        </div>
      )}
      {pasting && <PasteDialog base={base.id} onClose={() => setPasting(false)} />}
      {shown && <FailedDialog document={shown} write={write} busy={reindex.pending} onClose={() => setShown(null)} onDelete={() => void ask(shown)} onAgain={() => void again(shown)} onChoose={() => (setShown(null), picker.current?.click())} />}
    </>
  )
}

// useLive reads what is not ready anew while there is something: the newest page, and single documents beyond it.
function useLive(base: Schemas['KnowledgeBase'], rows: Document[] | undefined, set: (to: Document[]) => void) {
  const latest = useRef(rows)
  latest.current = rows
  const busy = !!rows?.some((d) => working(d.status))
  const counts = Object.values(base.documents).join()
  useEffect(() => {
    if (!busy && !latest.current) return
    const abort = new AbortController()
    const look = async () => {
      const path = { knowledge_base_id: base.id }
      try {
        const fresh = (await ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}/documents', { params: { path, query: { limit: 100 } }, signal: abort.signal }))).items
        const seen = new Set(fresh.map((d) => d.id))
        const beyond = (latest.current ?? []).slice(seen.size).filter((d) => !seen.has(d.id) && working(d.status)).slice(0, 8)
        const more = await Promise.all(beyond.map((d) => ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}', { params: { path: { ...path, document_id: d.id } }, signal: abort.signal })).catch(() => null)))
        const rest = (latest.current ?? []).slice(100).filter((d) => !seen.has(d.id)).map((d) => more.find((m) => m?.id === d.id) ?? d)
        if (!abort.signal.aborted) set([...fresh, ...rest])
      } catch {
        // The next look is the next try; the list says by itself when it cannot be read.
      }
    }
    void look()
    const timer = busy ? setInterval(() => void look(), 1500) : 0
    return () => {
      abort.abort()
      clearInterval(timer)
    }
  }, [base.id, busy, counts])
}

// Ready offers the next step when what was just added can be found.
function Ready({ base, rows, onAsk }: { base: Schemas['KnowledgeBase']; rows: Document[]; onAsk: () => void }) {
  const added = finished.value.base === base.id ? rows.filter((d) => finished.value.documents.includes(d.id)) : []
  const ready = added.filter((d) => d.status === 'ready')
  const show = ready.length > 0 && may('bots.write')
  return (
    <div aria-live="polite">
      {show && (
        <div class="next-step">
          <Notice tone="good" icon="check" action={<Button kind="primary" small icon="chat" onClick={onAsk}>{t('ask')}</Button>}>
            <p dir="auto">
              <b>{ready.length === 1 ? t('nextTitle', { title: ready[0]!.title }) : t('nextMany', { n: ready.length })}</b> {t('nextText')}
            </p>
          </Notice>
        </div>
      )}
    </div>
  )
}

function DropZone({ base, input, large, onPaste }: { base: string; input: RefObject<HTMLInputElement | null>; large: boolean; onPaste: () => void }) {
  const [over, setOver] = useState(false)
  // A file may be dropped anywhere on the page: beside the zone the browser would open it.
  useEffect(() => {
    const files = (e: DragEvent) => e.dataTransfer?.types.includes('Files')
    let depth = 0
    const enter = (e: DragEvent) => {
      if (files(e) && ++depth === 1) setOver(true)
    }
    const leave = (e: DragEvent) => {
      if (files(e) && --depth <= 0) (depth = 0), setOver(false)
    }
    const move = (e: DragEvent) => void (files(e) && e.preventDefault())
    const dropped = (e: DragEvent) => {
      if (!files(e)) return
      e.preventDefault()
      depth = 0
      setOver(false)
      upload(base, [...(e.dataTransfer?.files ?? [])])
    }
    const all: [string, (e: DragEvent) => void][] = [['dragenter', enter], ['dragleave', leave], ['dragover', move], ['drop', dropped]]
    all.forEach(([name, f]) => addEventListener(name, f as EventListener))
    return () => all.forEach(([name, f]) => removeEventListener(name, f as EventListener))
  }, [base])
  return (
    <div class={`drop-zone${large ? ' large' : ''}${over ? ' over' : ''}`}>
      <span class="drop-icon">
        <Icon name="upload" size={large ? 22 : 18} />
      </span>
      <div class="drop-text">
        <b>{over ? t('dropNow') : t('dropTitle')}</b>
        <p class="hint">{ui('documentTypes')}</p>
      </div>
      <div class="drop-actions">
        <Button kind={large ? 'primary' : 'plain'} icon="file" onClick={() => input.current?.click()}>
          {t('choose')}
        </Button>
        <Button kind="quiet" onClick={onPaste}>
          {t('paste')}
        </Button>
      </div>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={t('yourFiles')}
        onChange={(e) => {
          upload(base, [...(e.currentTarget.files ?? [])])
          e.currentTarget.value = ''
        }}
      />
    </div>
  )
}

function Uploads({ base }: { base: string }) {
  const all = uploads.value.filter((u) => u.base === base)
  if (!all.length) return null
  return (
    <ul class="list upload-list" aria-label={t('uploads')}>
      {all.map((u) => (
        <UploadRow key={u.key} upload={u} base={base} />
      ))}
    </ul>
  )
}

function UploadRow({ upload: u, base }: { upload: Upload; base: string }) {
  const percent = Math.floor(u.part * 100)
  const said: ComponentChildren = u.phase === 'waiting' ? t('upWaiting') : u.phase === 'adding' ? t('upAdding') : t('upSending', { percent, size: bytes(u.file.size) })
  const exists = u.failure?.code === 'DOCUMENT_EXISTS' ? String(u.failure.details?.document_id ?? '') : ''
  return (
    <li>
      <div class="item upload">
        <Icon name={u.failure && !exists ? 'alert' : 'file'} />
        <div class="upload-body">
          <b dir="auto">{u.file.name}</b>
          {u.failure ? (
            <p class={exists ? 'hint' : 'upload-failed'} role="alert">
              {exists ? t('isHere') : u.failure.code === 'PAYLOAD_TOO_LARGE' ? t('tooLarge') : !u.file.size ? t('emptyFile') : messageOf(u.failure)} {exists && <Link to={`/knowledge/${base}/${exists}`}>{t('openIt')}</Link>}
            </p>
          ) : (
            <progress max={100} value={u.phase === 'waiting' ? 0 : percent} aria-label={u.file.name} />
          )}
        </div>
        {!u.failure && <small>{said}</small>}
        {u.failure && !exists && <Button small icon="retry" onClick={() => retry(u.key)}>{ui('retry')}</Button>}
        <IconButton small icon="x" label={`${u.failure ? t('dismiss') : t('stop')}: ${u.file.name}`} onClick={() => drop(u.key)} />
      </div>
    </li>
  )
}

function PasteDialog({ base, onClose }: { base: string; onClose: () => void }) {
  const [title, setTitle] = useState('')
  const [text, setText] = useState('')
  const add = useAction('document.paste', async (operation, body: Schemas['AddDocumentRequest']) => {
    const document = await ok(api.POST('/v1/knowledge-bases/{knowledge_base_id}/documents', { params: { path: { knowledge_base_id: base } }, body, ...as(operation) }))
    if (finished.value.base === base) finished.value = { base, documents: [...finished.value.documents, document.id] }
    invalidate('base')
    invalidate('home')
    toast(t('added'))
    onClose()
  })
  const body = { title: title.trim(), text }
  const dirty = text.trim() !== ''
  return (
    <FormDialog title={t('pasteTitle')} fixed={dirty} submit={t('add')} action={add} onSubmit={() => void add.run(body)} onClose={onClose}>
      <TextField label={t('docTitle')} value={title} onInput={setTitle} required maxLength={300} error={fieldError(add.failure, 'title')} />
      <TextArea label={t('text')} hint={t('textHint')} rows={12} required maxLength={1_000_000} value={text} onInput={setText} error={fieldError(add.failure, 'text')} />
    </FormDialog>
  )
}

interface FailedProps {
  document: Document
  write: boolean
  busy: boolean
  onClose: () => void
  onDelete: () => void
  onAgain: () => void
  onChoose: () => void
}

// Files that fail again as they are: another one has to come.
const hopeless = ['UNSUPPORTED_FILE', 'ENCRYPTED_FILE', 'NO_TEXT', 'TOO_LARGE', 'FILE_CONTENT_MISSING']

function FailedDialog({ document: d, write, busy, onClose, onDelete, onAgain, onChoose }: FailedProps) {
  const final = hopeless.includes(d.error?.code ?? '')
  return (
    <Dialog
      title={t('failedTitle', { title: d.title })}
      onClose={onClose}
      footer={
        write && (
          <>
            <Button kind="quiet-danger" icon="trash" onClick={onDelete}>{t('delete')}</Button>
            <Button kind={final ? 'plain' : 'primary'} icon="retry" busy={busy} onClick={onAgain}>{t('reindex')}</Button>
            {final && <Button kind="primary" icon="upload" onClick={onChoose}>{t('choose')}</Button>}
          </>
        )
      }
    >
      <div class="stack">
        <p>{remedyOf(d.error?.code ?? '')}</p>
        {d.error && (
          <p class="hint" dir="auto">
            <code>{d.error.code}</code> {d.error.message}
          </p>
        )}
      </div>
    </Dialog>
  )
}
