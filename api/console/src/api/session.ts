// The session: the access token in memory alone, the refresh token in sessionStorage, so that it survives a reload of the tab
// and not the tab. README.md has the reasons.
import { computed, signal } from '@preact/signals'
import { names, read, write } from '../state/storage'
import { failureOf, Failure } from './errors'
import { forgetOperations } from './operation'
import type { components } from './schema'

export type TokenPair = components['schemas']['TokenPair']
export type Me = components['schemas']['Me']
export type Role = components['schemas']['Role']

interface Tokens {
  access: string
  refresh: string
  until: number // when the access token expires, in ms
}

// starting: a refresh token was kept, and its session is being asked for. expired: the page is open and its session has ended.
export const state = signal<'starting' | 'out' | 'in' | 'expired'>('starting')
export const me = signal<Me | null>(null)
export const workspace = signal<string | null>(read(sessionStorage, 'workspace'))

let tokens: Tokens | null = null

// here is the workspace that calls are about, with the role of the person in it.
export const here = computed(() => {
  const all = me.value?.memberships ?? []
  return all.find((m) => m.workspace_id === workspace.value) ?? all.find((m) => m.workspace_id === me.value?.workspace_id) ?? null
})

// Tabs that were duplicated have the same refresh token, which works once: whoever uses it tells the others.
const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('parley.session')
channel?.addEventListener('message', (e: MessageEvent<{ before: string; after: Tokens | null }>) => {
  if (!tokens || e.data.before !== tokens.refresh) return
  if (e.data.after) keep(e.data.after)
  else forget()
})

function keep(to: Tokens) {
  tokens = to
  write(sessionStorage, 'refresh', to.refresh)
}

function forget() {
  tokens = null
  me.value = null
  workspace.value = null
  for (const name of names(sessionStorage, '')) write(sessionStorage, name, null)
  forgetOperations()
  forgotten.forEach((f) => f())
  wake(false)
  state.value = 'out'
}

// onForget calls a function when the session is forgotten: what was read in it must not be shown to the next person.
const forgotten: (() => void)[] = []
export const onForget = (f: () => void) => forgotten.push(f)

const tokensOf = (pair: TokenPair): Tokens => ({ access: pair.access_token, refresh: pair.refresh_token, until: Date.now() + pair.expires_in * 1000 })

// signedIn takes the answer of a sign-in.
export async function signedIn(pair: TokenPair) {
  if (pair.device_token) write(localStorage, 'device', pair.device_token)
  const other = me.value && me.value.user_id !== pair.user_id
  keep(tokensOf(pair))
  if (other) {
    workspace.value = null
    write(sessionStorage, 'workspace', null)
    forgotten.forEach((f) => f())
  }
  await readMe()
  state.value = 'in'
  wake(true)
}

export const deviceToken = () => read(localStorage, 'device')

async function readMe() {
  const response = await fetch('/v1/auth/me', { headers: { Authorization: `Bearer ${tokens?.access ?? ''}` } })
  if (!response.ok) throw await failureOf(response)
  me.value = (await response.json()) as Me
}

export const reloadMe = async () => {
  if (await ensure()) await readMe()
}

export function chooseWorkspace(id: string) {
  workspace.value = id
  write(sessionStorage, 'workspace', id)
  forgotten.forEach((f) => f())
}

let refreshing: Promise<boolean> | null = null

// refresh gets the next pair of tokens; false: the session has ended. All callers share one call.
export function refresh(): Promise<boolean> {
  refreshing ??= (async () => {
    const before = tokens?.refresh ?? read(sessionStorage, 'refresh')
    if (!before) return false
    const response = await fetch('/v1/auth/refresh', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ refresh_token: before }) })
    if (response.ok) {
      const after = tokensOf((await response.json()) as TokenPair)
      keep(after)
      channel?.postMessage({ before, after })
      return true
    }
    if (response.status === 401 || response.status === 403) {
      if (tokens && tokens.refresh !== before) return true // another tab was quicker
      return false
    }
    throw await failureOf(response)
  })().finally(() => (refreshing = null))
  return refreshing
}

// joinWorkspace reads anew who the person is, who has got a workspace. A session of no workspace may read nothing in it: the next pair
// of tokens is one of it.
export async function joinWorkspace() {
  if (!me.value?.workspace_id) await refresh()
  await reloadMe()
}

// ensure makes sure that there is an access token for half a minute more; false: there is no session.
export async function ensure(): Promise<boolean> {
  if (tokens && tokens.until - Date.now() > 30_000) return true
  return refresh()
}

// headers returns the headers of a call of this session.
export function headers(): Record<string, string> {
  const all: Record<string, string> = {}
  if (tokens) all.Authorization = `Bearer ${tokens.access}`
  if (workspace.value && workspace.value !== me.value?.workspace_id) all['X-Workspace-Id'] = workspace.value
  return all
}

// Calls wait here while the person signs in again over the page.
let waiting: ((signedIn: boolean) => void)[] = []
function wake(signedIn: boolean) {
  const all = waiting
  waiting = []
  all.forEach((done) => done(signedIn))
}

// signInAgain waits until the person has signed in over the page; false: the person has signed out instead.
export function signInAgain(): Promise<boolean> {
  if (state.value === 'out') return Promise.resolve(false)
  state.value = 'expired'
  return new Promise((done) => waiting.push(done))
}

// start goes on with the session of the tab, if it has one.
export async function start() {
  try {
    if (!read(sessionStorage, 'refresh') || !(await refresh())) return forget()
    await readMe()
    state.value = 'in'
  } catch (thrown) {
    if (thrown instanceof Failure && (thrown.status === 401 || thrown.status === 403)) return forget()
    throw thrown
  }
}

export async function signOut() {
  const access = tokens?.access
  const before = tokens?.refresh
  forget()
  channel?.postMessage({ before, after: null })
  if (access) {
    await fetch('/v1/auth/logout', { method: 'POST', headers: { Authorization: `Bearer ${access}`, 'Content-Type': 'application/json' }, body: '{}', keepalive: true }).catch(() => {})
  }
}
