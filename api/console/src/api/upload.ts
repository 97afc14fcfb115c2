// Uploads are sent by XMLHttpRequest, which alone tells how far they are.
import type { Schemas } from './client'
import { Failure, failureOf } from './errors'
import { as } from './operation'
import { ensure, headers, refresh, signInAgain } from './session'

// uploadFile sends a file. onProgress receives the part that is sent, from 0 to 1. Where the session has ended it waits until the person has signed in again.
export async function uploadFile(file: File, operation: string, onProgress: (part: number) => void, signal?: AbortSignal): Promise<Schemas['File']> {
  for (let attempt = 0; ; attempt++) {
    if (!(await ensure()) && !(await signInAgain())) throw new DOMException('signed out', 'AbortError')
    const response = await post(file, operation, onProgress, signal)
    if (response.ok) return (await response.json()) as Schemas['File']
    const failure = await failureOf(response)
    if (response.status !== 401 || attempt >= 2 || failure.code !== 'UNAUTHORIZED') throw failure
    if (!(await refresh()) && !(await signInAgain())) throw new DOMException('signed out', 'AbortError')
  }
}

function post(file: File, operation: string, onProgress: (part: number) => void, signal?: AbortSignal): Promise<Response> {
  return new Promise((done, fail) => {
    const aborted = () => fail(new DOMException('aborted', 'AbortError'))
    if (signal?.aborted) return aborted()
    const body = new FormData()
    body.append('file', file, file.name)
    const request = new XMLHttpRequest()
    const abort = () => request.abort()
    request.open('POST', '/v1/files')
    for (const [name, value] of Object.entries({ ...headers(), ...as(operation).headers })) request.setRequestHeader(name, value)
    request.upload.onprogress = (e) => e.total > 0 && onProgress(e.loaded / e.total)
    request.onload = () => {
      const kept = ['Retry-After', 'X-Trace-Id'].map((name) => [name, request.getResponseHeader(name) ?? ''] as [string, string])
      done(new Response(request.responseText, { status: request.status, headers: kept.filter(([, value]) => value) }))
    }
    request.onerror = () => fail(new Failure(0, 'NETWORK', 'the connection was lost'))
    request.onabort = aborted
    request.onloadend = () => signal?.removeEventListener('abort', abort)
    signal?.addEventListener('abort', abort)
    request.send(body)
  })
}
