// A conversation with a version of a bot: loaded, sent to, followed, stopped, tried again. It goes on after a reload of the page.
import { useEffect, useRef, useState } from 'preact/hooks'
import { api, ok } from '../../api/client'
import { asFailure, isAbort, type Failure } from '../../api/errors'
import { invalidate } from '../../api/hooks'
import { as, operationFor, settle, uuid } from '../../api/operation'
import { followTurn, type Following } from '../../api/stream'
import { read, write } from '../../state/storage'
import { messageOf, toast } from '../../ui'
import { bodyOf, curlOf, isRunning, newTurn, turnsOf, withEvent, withStoredCalls, type Input, type Turn } from './conversation'

export interface Conversation {
  turns: Turn[]
  loading: boolean
  failure: Failure | null // of loading
  running: boolean
  busy: boolean // takes no message now
  load: () => Promise<void>
  send: (input: Input, key?: string) => Promise<void>
  retry: (turn: Turn) => void
  decided: (turn: Turn) => Promise<void>
  cancel: () => Promise<void>
  restart: () => void
  curl: (turn: Turn) => string
}

// useConversation keeps its thread in the slot of the storage of the tab. Without a version the published one answers, else the thread is a trial.
export function useConversation(bot: string, version: number | null, slot: string): Conversation {
  const [turns, setTurns] = useState<Turn[]>([])
  const [loading, setLoading] = useState(() => !!read(sessionStorage, slot))
  const [failure, setFailure] = useState<Failure | null>(null)
  const thread = useRef(read(sessionStorage, slot))
  const aborts = useRef(new AbortController())
  const followers = useRef(new Map<string, AbortController>()) // by the key of their turn
  const name = `turn.${slot}`
  const set = (key: string, change: (turn: Turn) => Turn) => setTurns((all) => all.map((x) => (x.key === key ? change(x) : x)))
  const keepThread = (id: string | null) => {
    thread.current = id
    write(sessionStorage, slot, id)
  }
  // A message is kept until the server is known to have it, or to have refused it.
  const keepPending = (input: Input | null) => write(sessionStorage, `${slot}.pending`, input && JSON.stringify(input))
  const pathOf = (threadId: string | null) => (version === null ? `/v1/conversations/threads/${threadId ?? 'THREAD_ID'}/turn` : `/v1/bots/${bot}/versions/${version}/try`)
  const bodyIn = (input: Input, threadId: string | null) => ({ ...bodyOf(input), ...(version !== null && threadId && { thread_id: threadId }) })

  // follower returns what ends the one follower of a turn.
  const follower = (key: string) => {
    followers.current.get(key)?.abort()
    const own = new AbortController()
    followers.current.set(key, own)
    return own
  }
  const stopAll = () => {
    aborts.current.abort()
    aborts.current = new AbortController()
    followers.current.forEach((own) => own.abort())
    followers.current.clear()
  }

  const follow = async (key: string, following: Omit<Following, 'signal'>, operation?: string) => {
    const own = follower(key)
    const { signal } = own
    const settled = () => {
      if (operation) settle(operation)
      if (operation === name) keepPending(null)
    }
    let begun = false
    try {
      for await (const event of followTurn({ ...following, signal, onConnection: (connected) => set(key, (x) => ({ ...x, connected })) })) {
        if (signal.aborted) return
        if (!begun) {
          begun = true
          settled()
          keepThread(event.thread_id)
        }
        set(key, (x) => withEvent(x, event))
        if (event.type === 'turn.waiting') void readCalls(key, event.turn_id)
        if (event.type === 'turn.completed') void detail(key, event.thread_id, event.turn_id)
      }
    } catch (thrown) {
      if (isAbort(thrown) || signal.aborted) return
      fail(key, asFailure(thrown), settled)
    } finally {
      if (followers.current.get(key) === own) followers.current.delete(key)
    }
    invalidate('home')
  }
  const fail = (key: string, failed: Failure, settled: () => void) => {
    if (failed.code === 'THREAD_NOT_FOUND') keepThread(null) // the next try begins another
    else if (!failed.passing && failed.status < 500) settled()
    set(key, (x) => ({ ...x, status: 'failed', failure: failed }))
  }
  // readCalls reads what was decided about the calls of a turn, which its events do not say.
  const readCalls = async (key: string, turnId: string) => {
    const calls = await ok(api.GET('/v1/tool-calls', { params: { query: { turn_id: turnId, limit: 50 } } })).catch(() => null)
    if (calls) set(key, (x) => withStoredCalls(x, [...calls.items].reverse()))
  }
  // detail reads what the events do not say.
  const detail = async (key: string, threadId: string, turnId: string) => {
    const record = await ok(api.GET('/v1/conversations/threads/{thread_id}/turns/{turn_id}', { params: { path: { thread_id: threadId, turn_id: turnId } } })).catch(() => null)
    if (record) set(key, (x) => ({ ...x, model: record.model, version: record.bot_version }))
  }

  const send = async (input: Input, key = uuid()) => {
    const { signal } = aborts.current
    setTurns((all) => [...all.filter((x) => x.key !== key), newTurn(key, input)])
    keepPending(input)
    try {
      if (!thread.current && version === null) {
        const made = await ok(api.POST('/v1/conversations/threads', { body: { bot_id: bot }, signal, ...as(operationFor(`${name}.thread`, bot)) }))
        settle(`${name}.thread`)
        keepThread(made.id)
      }
    } catch (thrown) {
      if (!isAbort(thrown)) fail(key, asFailure(thrown), () => (settle(`${name}.thread`), keepPending(null)))
      return
    }
    const to = thread.current
    await follow(key, { begin: { path: pathOf(to), body: bodyIn(input, to), operation: operationFor(name, [to, input]) } }, name)
  }

  const load = async () => {
    const { signal } = aborts.current
    const kept = read(sessionStorage, `${slot}.pending`)
    let pending = kept ? (JSON.parse(kept) as Input) : null
    const threadId = thread.current
    if (threadId) {
      setLoading(true)
      setFailure(null)
      try {
        const path = { thread_id: threadId }
        const [messages, records] = await Promise.all([
          ok(api.GET('/v1/conversations/threads/{thread_id}/messages', { params: { path, query: { limit: 100, order: 'desc' } }, signal })),
          ok(api.GET('/v1/conversations/threads/{thread_id}/turns', { params: { path, query: { limit: 50 } }, signal })),
        ])
        const found = turnsOf(messages.items, records.items)
        setTurns(found)
        if (pending) {
          const operation = operationFor(name, [threadId, pending])
          if (records.items.some((r) => r.operation_id === operation)) {
            pending = null
            settle(name)
            keepPending(null)
          }
        }
        for (const turn of found) {
          if ((turn.status === 'running' || turn.status === 'waiting') && turn.id) void follow(turn.key, { threadId, turnId: turn.id })
        }
      } catch (thrown) {
        if (isAbort(thrown)) return
        const failed = asFailure(thrown)
        if (failed.status !== 404) {
          setFailure(failed)
          pending = null
        } else {
          keepThread(null)
          setTurns([])
        }
      }
      setLoading(false)
    }
    if (pending) void send(pending)
  }
  useEffect(() => {
    void load()
    return stopAll
  }, [])

  const restart = () => {
    stopAll()
    keepThread(null)
    keepPending(null)
    setTurns([])
    setLoading(false)
    setFailure(null)
  }
  const latest = turns.at(-1)
  const cancel = async () => {
    if (!latest) return
    const { key, id, status } = latest
    const threadId = thread.current
    if (status === 'sending') {
      stopAll()
      settle(name)
      keepPending(null)
      set(key, (x) => ({ ...x, status: 'cancelled' }))
    }
    if (!threadId || !id) return
    try {
      await ok(api.POST('/v1/conversations/threads/{thread_id}/turns/{turn_id}/cancel', { params: { path: { thread_id: threadId, turn_id: id } }, body: {}, ...as(uuid()) }))
    } catch (thrown) {
      if (isAbort(thrown) || status === 'sending') return
      const failed = asFailure(thrown)
      if (failed.status !== 409) toast(messageOf(failed), 'bad')
      else if (!followers.current.has(key)) void follow(key, { threadId, turnId: id }) // it has ended by itself
    }
  }
  const retry = (turn: Turn) => {
    if (!turn.id || !thread.current) return void send(turn.input, turn.key)
    const again = `turn.retry.${turn.id}`
    set(turn.key, (x) => ({ ...x, status: 'sending', failure: undefined, text: '', last: '' }))
    void follow(turn.key, { begin: { path: `/v1/conversations/threads/${thread.current}/turns/${turn.id}/retry`, body: {}, operation: operationFor(again, turn.id) }, threadId: thread.current, turnId: turn.id }, again)
  }
  const decided = async (turn: Turn) => void (turn.id && (await readCalls(turn.key, turn.id)))
  const running = !!latest && isRunning(latest)
  return {
    turns, loading, failure, running, busy: loading || !!failure || running || latest?.status === 'waiting', load, send, retry, decided, cancel, restart,
    curl: (turn) => curlOf(pathOf(thread.current), bodyIn(turn.input, thread.current)),
  }
}
