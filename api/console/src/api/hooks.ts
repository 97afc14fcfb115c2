// Hooks for data: useQuery reads, usePages reads a list page by page, useAction changes.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { asFailure, isAbort, type Failure } from './errors'
import { operationFor, settle } from './operation'
import { onForget, workspace } from './session'

const cache = new Map<string, unknown>()
const readers = new Set<{ key: string; reload: () => void }>()
onForget(() => cache.clear())

// invalidate reads anew what is shown under keys that begin with a text, which stays until then, and forgets what is not shown.
export function invalidate(start: string) {
  const full = keyOf(start)
  const shown = new Set<string>()
  for (const reader of [...readers]) {
    if (!reader.key.startsWith(full)) continue
    shown.add(reader.key)
    reader.reload()
  }
  for (const key of cache.keys()) if (key.startsWith(full) && !shown.has(key)) cache.delete(key)
}

const keyOf = (key: string) => `${workspace.value ?? ''} ${key}`

export interface Query<T> {
  data: T | undefined
  failure: Failure | null
  loading: boolean // also while it is read anew
  reload: () => void
  set: (to: T) => void
}

// useQuery reads something, shows at once what was read under the key before, and reads it anew. A key of null: nothing is read.
export function useQuery<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>): Query<T> {
  const full = key === null ? null : keyOf(key)
  const [, render] = useState(0)
  const [count, setCount] = useState(0)
  const held = useRef<{ key: string | null; failure: Failure | null; loading: boolean }>({ key: null, failure: null, loading: true })
  if (held.current.key !== full) held.current = { key: full, failure: null, loading: full !== null }
  const latest = useRef(load)
  latest.current = load

  useEffect(() => {
    if (full === null) return
    const abort = new AbortController()
    const slot = held.current
    slot.loading = true
    latest.current(abort.signal).then(
      (data) => {
        if (abort.signal.aborted) return
        cache.set(full, data)
        slot.failure = null
        slot.loading = false
        render((n) => n + 1)
      },
      (thrown) => {
        if (abort.signal.aborted || isAbort(thrown)) return
        slot.failure = asFailure(thrown)
        slot.loading = false
        render((n) => n + 1)
      },
    )
    const reader = { key: full, reload: () => setCount((n) => n + 1) }
    readers.add(reader)
    return () => {
      abort.abort()
      readers.delete(reader)
    }
  }, [full, count])

  return {
    data: full === null ? undefined : (cache.get(full) as T | undefined),
    failure: held.current.failure,
    get loading() {
      return held.current.loading
    },
    reload: useCallback(() => setCount((n) => n + 1), []),
    set: (to: T) => {
      if (full === null) return
      cache.set(full, to)
      held.current.failure = null
      render((n) => n + 1)
    },
  }
}

// usePolling reads anew every so often while something is under way and the page is in view, but not before the last answer has come.
export function usePolling(active: boolean, query: Pick<Query<unknown>, 'data' | 'loading' | 'reload'>, every = 1500) {
  const latest = useRef(query)
  latest.current = query
  useEffect(() => {
    if (!active) return
    const look = () => {
      const { data, loading, reload } = latest.current
      if (data !== undefined && !loading && document.visibilityState === 'visible') reload()
    }
    const timer = setInterval(look, every)
    return () => clearInterval(timer)
  }, [active, every])
}

export interface Page<T> {
  items: T[]
  next_cursor: string | null
}

export interface Pages<T> extends Query<T[]> {
  more: () => void // reads the next page, if there is one and none is being read
  hasMore: boolean
}

const kept = 1000 // rows of a list that are read anew

// usePages reads a list by cursors. Read anew, it has as many rows as it had, so that nobody loses their place.
export function usePages<T>(key: string | null, load: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>): Pages<T> {
  const rows = useRef(0)
  const first = useQuery<{ items: T[]; next: string | null }>(key, async (signal) => {
    const items: T[] = []
    let next: string | null = null
    do {
      const page: Page<T> = await load(next ?? undefined, signal)
      items.push(...page.items)
      next = page.next_cursor
    } while (next && items.length < Math.min(rows.current, kept))
    return { items, next }
  })
  rows.current = first.data?.items.length ?? 0
  const [failure, setFailure] = useState<Failure | null>(null)
  const busy = useRef(false)
  const current = useRef({ key, first })
  current.current = { key, first }
  const more = useCallback(async () => {
    if (busy.current) return
    busy.current = true
    const before = current.current.key
    try {
      // A list that was read anew meanwhile goes on from another row, so that its next page is another one.
      for (let asked: string | null = null; current.current.key === before; ) {
        const cursor = current.current.first.data?.next
        if (!cursor || cursor === asked) break
        asked = cursor
        const page = await load(cursor, new AbortController().signal)
        const { key, first } = current.current
        if (key !== before || first.data?.next !== cursor) continue
        const items = [...first.data.items, ...page.items]
        rows.current = items.length
        first.set({ items, next: page.next_cursor })
        break
      }
      setFailure(null)
    } catch (thrown) {
      if (!isAbort(thrown)) setFailure(asFailure(thrown))
    } finally {
      busy.current = false
    }
  }, [load])
  return {
    data: first.data?.items,
    failure: first.failure ?? failure,
    get loading() {
      return first.loading
    },
    reload: first.reload,
    set: (items) => first.set({ items, next: first.data?.next ?? null }),
    more: () => void more(),
    hasMore: !!first.data?.next,
  }
}

export interface Action<A extends unknown[], R> {
  run: (...args: A) => Promise<R | undefined> // undefined where it failed
  pending: boolean
  failure: Failure | null
  clear: () => void
}

// useAction makes a change. It gives the change an operation id, which is the same when the change is sent again with the same
// arguments after it got no answer, also after a reload of the page. The name says what is changed, such as bot.create.
export function useAction<A extends unknown[], R>(name: string, change: (operation: string, ...args: A) => Promise<R>): Action<A, R> {
  const [state, setState] = useState<{ pending: boolean; failure: Failure | null }>({ pending: false, failure: null })
  const latest = useRef(change)
  latest.current = change
  const busy = useRef(false)
  const alive = useRef(true)
  useEffect(() => () => void (alive.current = false), [])
  const run = useCallback(
    async (...args: A) => {
      if (busy.current) return undefined
      busy.current = true
      setState({ pending: true, failure: null })
      let failure: Failure | null = null
      try {
        const result = await latest.current(operationFor(name, args), ...args)
        settle(name)
        return result
      } catch (thrown) {
        if (isAbort(thrown)) return undefined
        failure = asFailure(thrown)
        if (failure.settled) settle(name)
        return undefined
      } finally {
        busy.current = false
        if (alive.current) setState({ pending: false, failure })
      }
    },
    [name],
  )
  return { run, ...state, clear: useCallback(() => setState((s) => ({ ...s, failure: null })), []) }
}
