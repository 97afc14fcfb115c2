// Uploads: a file is sent by XMLHttpRequest, which alone tells how far it is, and then made a document of a base. Two are sent at a time.
import { signal } from '@preact/signals'
import { api, ok, type Schemas } from '../../api/client'
import { asFailure, Failure, failureOf } from '../../api/errors'
import { invalidate } from '../../api/hooks'
import { as, operationFor, settle } from '../../api/operation'
import { ensure, headers, onForget, refresh, signInAgain, workspace } from '../../api/session'

export interface Upload {
  key: string
  base: string
  file: File
  phase: 'waiting' | 'sending' | 'adding' | 'failed'
  sent: number
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
  uploads.value = [...uploads.value, ...files.map((file): Upload => ({ key: `${++count}`, base, file, phase: 'waiting', sent: 0, failure: null }))]
  next()
}

export function retry(key: string) {
  change(key, { phase: 'waiting', sent: 0, failure: null })
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
    const file = await send(u.file, operationFor(fileName, print), (sent) => change(u.key, { sent }), abort)
    settle(fileName)
    change(u.key, { phase: 'adding', sent: u.file.size })
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
    if (!failure.passing && failure.status < 500) {
      settle(fileName)
      settle(documentName)
    }
    change(u.key, { phase: 'failed', failure })
  }
}

async function send(file: File, operation: string, progress: (sent: number) => void, abort: AbortSignal): Promise<Schemas['File']> {
  for (let attempt = 0; ; attempt++) {
    if (!(await ensure()) && !(await signInAgain())) throw new DOMException('signed out', 'AbortError')
    const response = await post(file, operation, progress, abort)
    if (response.ok) return (await response.json()) as Schemas['File']
    const failure = await failureOf(response)
    if (response.status !== 401 || attempt >= 2 || failure.code !== 'UNAUTHORIZED') throw failure
    if (!(await refresh()) && !(await signInAgain())) throw new DOMException('signed out', 'AbortError')
  }
}

function post(file: File, operation: string, progress: (sent: number) => void, abort: AbortSignal): Promise<Response> {
  return new Promise((done, fail) => {
    const body = new FormData()
    body.append('file', file, file.name)
    const request = new XMLHttpRequest()
    request.open('POST', '/v1/files')
    for (const [name, value] of Object.entries({ ...headers(), ...as(operation).headers })) request.setRequestHeader(name, value)
    request.upload.onprogress = (e) => progress(Math.min(e.loaded, file.size))
    request.onload = () => {
      const answer = new Headers()
      for (const name of ['Retry-After', 'X-Trace-Id']) {
        const value = request.getResponseHeader(name)
        if (value) answer.set(name, value)
      }
      done(new Response(request.responseText, { status: request.status, headers: answer }))
    }
    request.onerror = () => fail(new Failure(0, 'NETWORK', 'the connection was lost'))
    request.onabort = () => fail(new DOMException('stopped', 'AbortError'))
    abort.addEventListener('abort', () => request.abort())
    if (abort.aborted) return fail(new DOMException('stopped', 'AbortError'))
    request.send(body)
  })
}
