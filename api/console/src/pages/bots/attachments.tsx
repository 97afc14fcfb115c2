// Files of a message that is being written: chosen, dropped or pasted, uploaded at once, and kept until the message is sent.
import { useEffect, useRef, useState } from 'preact/hooks'
import { api, ok } from '../../api/client'
import { asFailure, isAbort, type Failure } from '../../api/errors'
import { as, operationFor, settle, uuid } from '../../api/operation'
import { workspace } from '../../api/session'
import { uploadFile } from '../../api/upload'
import { bytes } from '../../i18n'
import { read, write } from '../../state/storage'
import { Icon, IconButton, messageOf } from '../../ui'
import { t as ui } from '../../ui/messages'
import type { Attached } from './conversation'
import { t } from './messages'

interface Draft {
  key: string
  name: string
  size: number
  part: number
  file?: File // missing after a reload
  sent?: Attached
  refused?: string // reason
  failure?: Failure | undefined
}

export interface Attachments {
  list: Draft[]
  sent: Attached[]
  pending: boolean
  failed: boolean
  add: (files: Iterable<File>) => void
  retry: (draft: Draft) => void
  remove: (draft: Draft) => void
  clear: () => void
}

const max = 10
const maxImage = 5 << 20
const images = /^image\/(png|jpeg|gif|webp)$/
const readable = /^(text\/|application\/(pdf|json|jsonl|x-ndjson|xhtml\+xml|vnd\.openxmlformats-officedocument\.wordprocessingml\.document)$)/
const names = /\.(pdf|docx|html?|xhtml|md|markdown|txt|text|log|csv|tsv|json|jsonl|ndjson|png|jpe?g|gif|webp)$/i
export const accepted = '.pdf,.docx,.html,.htm,.md,.markdown,.txt,.log,.csv,.tsv,.json,.jsonl,image/png,image/jpeg,image/gif,image/webp'

function refusalOf(file: File, others: number): string | undefined {
  if (others >= max) return t('fileTooMany', { n: max })
  if (!file.size) return t('fileEmpty')
  if (!images.test(file.type) && !readable.test(file.type) && !names.test(file.name)) return t('fileWrongType')
  if (images.test(file.type) && file.size > maxImage) return t('fileTooBig', { limit: bytes(maxImage) })
  return undefined
}

const reasonOf = (failure: Failure) => (failure.code === 'PAYLOAD_TOO_LARGE' && failure.details?.limit_bytes ? t('fileTooBig', { limit: bytes(Number(failure.details.limit_bytes)) }) : messageOf(failure))

// The same file in the same workspace is the same operation, also after a reload in the middle.
const printOf = (file: File) => [file.name, file.size, file.lastModified]
const nameOf = (file: File) => `turn.file ${workspace.value} ${printOf(file).join(' ')}`

export function useAttachments(slot: string): Attachments {
  const [list, setList] = useState<Draft[]>(() => (JSON.parse(read(sessionStorage, `${slot}.files`) ?? '[]') as Attached[]).map((sent) => ({ key: uuid(), name: sent.name, size: sent.size, part: 1, sent })))
  const aborts = useRef(new Map<string, AbortController>())
  const set = (key: string, part: Partial<Draft>) => setList((all) => all.map((d) => (d.key === key ? { ...d, ...part } : d)))
  const sent = list.flatMap((d) => d.sent ?? [])
  useEffect(() => write(sessionStorage, `${slot}.files`, sent.length ? JSON.stringify(sent) : null), [list])
  useEffect(() => () => aborts.current.forEach((abort) => abort.abort()), [])

  const upload = async (draft: Draft, file: File) => {
    const name = nameOf(file)
    const abort = new AbortController()
    aborts.current.set(draft.key, abort)
    try {
      const made = await uploadFile(file, operationFor(name, printOf(file)), (part) => set(draft.key, { part }), abort.signal)
      settle(name)
      const refused = /^(audio|video|font)\//.test(made.content_type) || (made.content_type.startsWith('image/') && !images.test(made.content_type) && !made.content_type.startsWith('image/svg'))
      if (refused) {
        forget(made.id)
        set(draft.key, { refused: t('fileWrongType') })
      } else set(draft.key, { part: 1, sent: { file_id: made.id, name: made.name, media_type: made.content_type, size: made.size, deleted: false } })
    } catch (thrown) {
      if (isAbort(thrown) || abort.signal.aborted) return
      const failure = asFailure(thrown)
      if (!failure.passing && failure.status < 500) settle(name)
      set(draft.key, { failure })
    } finally {
      aborts.current.delete(draft.key)
    }
  }
  return {
    list, sent, pending: list.some((d) => !d.sent && !d.refused && !d.failure), failed: list.some((d) => d.refused || d.failure),
    add(files) {
      let others = list.filter((d) => !d.refused).length
      const known = new Set(list.flatMap((d) => (d.file && !d.refused ? nameOf(d.file) : [])))
      const fresh = [...files].filter((file) => !known.has(nameOf(file))).map((file): Draft => {
        const refused = refusalOf(file, others)
        if (!refused) others++
        return { key: uuid(), name: file.name, size: file.size, part: 0, file, ...(refused && { refused }) }
      })
      setList((all) => [...all, ...fresh])
      for (const draft of fresh) if (!draft.refused) void upload(draft, draft.file!)
    },
    retry(draft) {
      set(draft.key, { failure: undefined, part: 0 })
      if (draft.file) void upload(draft, draft.file)
    },
    remove(draft) {
      aborts.current.get(draft.key)?.abort()
      if (draft.file) settle(nameOf(draft.file))
      if (draft.sent) forget(draft.sent.file_id)
      setList((all) => all.filter((d) => d.key !== draft.key))
    },
    clear: () => setList([]),
  }
}

// forget deletes a file that no message has. Where that fails the file stays in the workspace, which harms nobody.
const forget = (id: string) => void ok(api.DELETE('/v1/files/{file_id}', { params: { path: { file_id: id } }, ...as(uuid()) })).catch(() => {})

// AttachmentList shows the files of a message that is being written.
export function AttachmentList({ attachments: a, onRemoved }: { attachments: Attachments; onRemoved: () => void }) {
  if (!a.list.length) return null
  return (
    <ul class="attach-list" aria-label={t('attachments')}>
      {a.list.map((d) => {
        const reason = d.refused ?? (d.failure && reasonOf(d.failure))
        return (
          <li key={d.key} class={`attach-chip${reason ? ' bad' : ''}`}>
            <Icon name={reason ? 'alert' : 'file'} size={14} />
            <bdi title={d.name}>{d.name}</bdi>
            {reason ? <span role="alert">{reason}</span> : d.sent ? <small>{bytes(d.size)}</small> : <progress max={1} value={d.part} aria-label={t('uploading', { name: d.name })} />}
            {d.failure && <IconButton small icon="retry" label={`${ui('retry')}: ${d.name}`} onClick={() => a.retry(d)} />}
            <IconButton small icon="x" label={t(d.sent || reason ? 'removeFile' : 'cancelFile', { name: d.name })} onClick={() => (a.remove(d), onRemoved())} />
          </li>
        )
      })}
    </ul>
  )
}

// AttachedFiles shows the files of a message that was sent.
export function AttachedFiles({ files }: { files: Attached[] }) {
  if (!files.length) return null
  return (
    <ul class="attach-list" aria-label={t('attachments')}>
      {files.map((f) => (
        <li key={f.file_id} class="attach-chip">
          <Icon name="file" size={14} />
          <bdi title={f.name}>{f.name}</bdi>
          <small>{f.deleted ? t('fileGone') : bytes(f.size)}</small>
        </li>
      ))}
    </ul>
  )
}
