// Calls of the API, typed by the contract: const bot = await ok(api.GET('/v1/bots/{bot_id}', { params: { path: { bot_id } } })).
import createClient from 'openapi-fetch'
import type { components, paths } from './schema'
import { failureOf } from './errors'
import { ensure, headers, refresh, signInAgain } from './session'

export type Schemas = components['schemas']

const withoutSession = /^\/v1\/(auth\/(register|login|refresh|password\/(forgot|reset)|oidc(\/|$)|set-up)|invitations\/accept)/

// send sends a request of the session. Where the session has ended it waits until the person has signed in again.
export async function send(request: Request): Promise<Response> {
  const open = withoutSession.test(new URL(request.url).pathname)
  if (open) return fetch(request)
  for (let attempt = 0; ; attempt++) {
    const present = await ensure()
    if (!present && !(await signInAgain())) throw new DOMException('signed out', 'AbortError')
    const copy = request.clone()
    for (const [name, value] of Object.entries(headers())) copy.headers.set(name, value)
    const response = await fetch(copy)
    if (response.status !== 401 || attempt >= 2 || (await failureOf(response.clone())).code !== 'UNAUTHORIZED') return response
    if (!(await refresh()) && !(await signInAgain())) throw new DOMException('signed out', 'AbortError')
  }
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: send })

interface Answer {
  data?: unknown
  error?: unknown
  response: Response
}

// ok returns what a call answered, or throws its Failure.
export async function ok<R extends Answer>(call: Promise<R>): Promise<Exclude<R['data'], undefined>> {
  return (await answered(call)).data
}

// answered returns the answer with its response, for headers.
export async function answered<R extends Answer>(call: Promise<R>): Promise<{ data: Exclude<R['data'], undefined>; response: Response }> {
  const { data, error, response } = await call
  if (!response.ok) {
    // openapi-fetch has read the body
    throw await failureOf(new Response(typeof error === 'string' ? error : JSON.stringify(error ?? null), { status: response.status, headers: response.headers }))
  }
  return { data: data as Exclude<R['data'], undefined>, response }
}
