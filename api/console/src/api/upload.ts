// Uploads tell how far they are, which fetch cannot.
import type { Schemas } from './client'
import { failureOf, Failure } from './errors'
import { ensure, headers, signInAgain } from './session'

// uploadFile sends a file. onProgress receives the part that is sent, from 0 to 1.
export async function uploadFile(file: File, operation: string, onProgress: (part: number) => void, signal?: AbortSignal): Promise<Schemas['File']> {
  if (!(await ensure()) && !(await signInAgain())) throw new DOMException('signed out', 'AbortError')
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest()
    request.open('POST', '/v1/files')
    for (const [name, value] of Object.entries({ ...headers(), 'X-Operation-Id': operation })) request.setRequestHeader(name, value)
    request.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded / e.total)
    request.onerror = () => fail(new Failure(0, 'NETWORK', 'the upload was interrupted'))
    request.onabort = () => fail(new DOMException('aborted', 'AbortError'))
    request.onload = async () => {
      if (request.status === 201) return done(JSON.parse(request.responseText) as Schemas['File'])
      const kept = ['Retry-After', 'X-Trace-Id'].flatMap((name) => (request.getResponseHeader(name) ? [[name, request.getResponseHeader(name)!] as [string, string]] : []))
      fail(await failureOf(new Response(request.responseText, { status: request.status, headers: kept })))
    }
    signal?.addEventListener('abort', () => request.abort())
    const body = new FormData()
    body.append('file', file)
    request.send(body)
  })
}
