// Uploads of a base: a file is sent, and then made a document. Two are sent at a time.
import { signal } from '@preact/signals'
import { api, ok } from '../../api/client'
import { asFailure, type Failure } from '../../api/errors'
import { invalidate } from '../../api/hooks'
import { as, operationFor, settle } from '../../api/operation'
import { onForget, workspace } from '../../api/session'
import { uploadFile } from '../../api/upload'

export interface Upload {
  key: string
  base: string
  file: File
  phase: 'waiting' | 'sending' | 'adding' | 'failed'
  part: number // that is sent, from 0 to 1
  failure: Failure | null
}

export const uploads = signal<Upload[]>([])
export const finished = signal<{ base: string; documents: string[] }>({ base: '', documents: [] }) // what was added since the page of the base was opened
const running = new Map<string, AbortController>()
let count = 0

onForget(() => {
  running.forEach((abort) => abort.abort())
  uploads.value = []
  finished.value = { base: '', documents: [] }
})

const change = (key: string, to: Partial<Upload>) => (uploads.value = uploads.value.map((u) => (u.key === key ? { ...u, ...to } : u)))

export function upload(base: string, files: File[]) {
  uploads.value = [...uploads.value, ...files.map((file): Upload => ({ key: `${++count}`, base, file, phase: 'waiting', part: 0, failure: null }))]
  next()
}

export function retry(key: string) {
  change(key, { phase: 'waiting', part: 0, failure: null })
  next()
}

export function drop(key: string) {
  running.get(key)?.abort()
  running.delete(key)
  uploads.value = uploads.value.filter((u) => u.key !== key)
  next()
}

function next() {
  for (const u of uploads.value) {
    if (running.size >= 2) return
    if (u.phase !== 'waiting' || running.has(u.key)) continue
    const abort = new AbortController()
    running.set(u.key, abort)
    void one(u, abort.signal).finally(() => {
      running.delete(u.key)
      next()
    })
  }
}

async function one(u: Upload, abort: AbortSignal) {
  // The same file in the same base is the same operation, also after a reload in the middle.
  const print = [u.file.name, u.file.size, u.file.lastModified]
  const [fileName, documentName] = [`file.upload ${workspace.value} ${print.join(' ')}`, `document.add ${u.base} ${print.join(' ')}`]
  try {
    change(u.key, { phase: 'sending' })
    const file = await uploadFile(u.file, operationFor(fileName, print), (part) => change(u.key, { part }), abort)
    settle(fileName)
    change(u.key, { phase: 'adding', part: 1 })
    const body = { file_id: file.id }
    const document = await ok(api.POST('/v1/knowledge-bases/{knowledge_base_id}/documents', { params: { path: { knowledge_base_id: u.base } }, body, signal: abort, ...as(operationFor(documentName, body)) }))
    settle(documentName)
    uploads.value = uploads.value.filter((x) => x.key !== u.key)
    if (finished.value.base === u.base) finished.value = { base: u.base, documents: [...finished.value.documents, document.id] }
    invalidate('base')
    invalidate('home')
  } catch (thrown) {
    if (abort.aborted) return
    const failure = asFailure(thrown)
    if (failure.settled) {
      settle(fileName)
      settle(documentName)
    }
    change(u.key, { phase: 'failed', failure })
  }
}
