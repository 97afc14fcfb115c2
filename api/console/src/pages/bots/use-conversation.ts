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
import { failureIn, readKept, Stopping, waitOf, writeKept, type Kept, type Stop } from './stopping'

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
  const stops = useRef(new Map<string, Stopping>()) // by the key of their turn
  const operations = useRef(new Map<string, string>()) // of calls that begin a turn, by its key
  const name = `turn.${slot}`
  const set = (key: string, change: (turn: Turn) => Turn) => setTurns((all) => all.map((x) => (x.key === key ? change(x) : x)))
  const keepThread = (id: string | null) => {
    thread.current = id
    write(sessionStorage, slot, id)
  }
  // A message is kept until the server is known to have it, or to have refused it.
  const keep = (kept: Kept | null) => writeKept(slot, kept)
  const retryOf = (turnId: string) => `turn.retry.${turnId}`
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
    stops.current.forEach((stop) => stop.abort.abort())
    stops.current.clear()
  }

  const follow = async (key: string, following: Omit<Following, 'signal'>, operation?: string) => {
    const own = follower(key)
    const { signal } = own
    const settled = () => {
      if (operation) settle(operation)
      if (operation && !stops.current.has(key)) keep(null)
    }
    const onConnection = (connected: boolean) => {
      // What is to be stopped is not sent again.
      if (!connected && following.begin && !begun && stops.current.has(key)) own.abort()
      else set(key, (x) => ({ ...x, connected }))
    }
    let begun = false
    try {
      for await (const event of followTurn({ ...following, signal, onConnection })) {
        if (signal.aborted) return
        if (!begun) {
          begun = true
          settled()
          keepThread(event.thread_id)
          stops.current.get(key)?.found({ threadId: event.thread_id, turnId: event.turn_id })
        }
        set(key, (x) => withEvent(x, event))
        if (event.type === 'turn.waiting') void readCalls(key, event.turn_id)
        if (event.type === 'turn.completed') void detail(key, event.thread_id, event.turn_id)
      }
    } catch (thrown) {
      if (isAbort(thrown) || signal.aborted) return
      const failed = asFailure(thrown)
      if (!stops.current.has(key)) fail(key, failed, settled, following.turnId)
      else if (failed.status > 0 && failed.status < 500) stopped(key) // it was refused
    } finally {
      if (followers.current.get(key) === own) followers.current.delete(key)
    }
    invalidate('home')
  }
  const fail = (key: string, failed: Failure, settled: () => void, turnId?: string) => {
    if (failed.code === 'THREAD_NOT_FOUND') keepThread(null) // the next try begins another
    else if (!failed.passing && failed.status < 500) settled()
    const wait = failed.passing && waitOf(failed, turnId)
    if (wait) keep({ ...readKept(slot), wait })
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
    keep({ input })
    operations.current.delete(key)
    try {
      if (!thread.current && version === null) {
        const made = await ok(api.POST('/v1/conversations/threads', { body: { bot_id: bot }, signal, ...as(operationFor(`${name}.thread`, bot)) }))
        settle(`${name}.thread`)
        keepThread(made.id)
      }
    } catch (thrown) {
      if (!isAbort(thrown)) fail(key, asFailure(thrown), () => (settle(`${name}.thread`), keep(null)))
      return
    }
    const to = thread.current
    const operation = operationFor(name, [to, input])
    operations.current.set(key, operation)
    await follow(key, { begin: { path: pathOf(to), body: bodyIn(input, to), operation } }, name)
  }

  // forgetStop ends the stopping of a turn.
  const forgetStop = (key: string) => {
    const stopping = stops.current.get(key)
    stopping?.abort.abort()
    stops.current.delete(key)
    settle(stopping?.stop.turnId ? retryOf(stopping.stop.turnId) : name)
    keep(null)
  }
  // stopped ends the stopping of a turn that has not begun, and does not any more.
  const stopped = (key: string) => {
    forgetStop(key)
    followers.current.get(key)?.abort()
    set(key, (x) => ({ ...x, status: 'cancelled', stopping: false }))
  }
  // stop cancels a turn that the server may have, and may not, also after a reload of the page.
  const stop = async (key: string, what: Stop) => {
    const stopping = new Stopping(bot, thread.current, what)
    stops.current.set(key, stopping)
    keep({ ...readKept(slot), stop: what })
    set(key, (x) => ({ ...x, stopping: true }))
    try {
      const found = await stopping.run()
      if (!found) return stopped(key)
      forgetStop(key)
      keepThread(found.threadId)
      set(key, (x) => ({ ...x, stopping: false }))
      if (!stopping.isKnown) void follow(key, found) // its own stream has said nothing
    } catch (thrown) {
      if (isAbort(thrown) || stopping.abort.signal.aborted) return
      const failed = asFailure(thrown)
      stopped(key)
      if (failed.status !== 404) toast(messageOf(failed), 'bad')
    }
  }

  const load = async () => {
    const { signal } = aborts.current
    const { input, stop: stopAt, wait } = readKept(slot)
    let pending: Input | null = input ?? null
    let stopKey: string | null = null
    const waiting = failureIn(wait)
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
        const found = turnsOf(messages.items, records.items).map((x) => (waiting && x.id === wait?.turnId && x.status === 'failed' ? { ...x, failure: waiting } : x))
        setTurns(found)
        if (pending || stopAt) {
          const operation = stopAt?.operation ?? operationFor(name, [threadId, pending])
          const begun = records.items.find((r) => r.id === stopAt?.turnId || r.operation_id === operation)
          if (begun) {
            pending = null
            if (stopAt) stopKey = begun.id
            else {
              settle(name)
              keep(null)
            }
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
          setLoading(false)
          return
        }
        keepThread(null)
        setTurns([])
      }
      setLoading(false)
    }
    if (stopAt) {
      if (!stopKey && pending && (thread.current || version !== null)) {
        const turn = newTurn(uuid(), pending)
        stopKey = turn.key
        setTurns((all) => [...all, turn])
      }
      if (stopKey) return void stop(stopKey, stopAt)
      settle(name)
      keep(null)
    } else if (pending && waiting) {
      const failed = pending
      setTurns((all) => [...all, { ...newTurn(uuid(), failed), status: 'failed', failure: waiting }])
    } else if (pending) void send(pending)
  }
  useEffect(() => {
    void load()
    return stopAll
  }, [])

  const restart = () => {
    stopAll()
    keepThread(null)
    keep(null)
    setTurns([])
    setLoading(false)
    setFailure(null)
  }
  const latest = turns.at(-1)
  const cancel = async () => {
    if (!latest || latest.stopping) return
    const { key, id, status, connected } = latest
    const threadId = thread.current
    if (status === 'sending') {
      const operation = operations.current.get(key)
      if (!operation) {
        stopAll() // of the thread: the message was not sent
        return stopped(key)
      }
      if (!connected) followers.current.get(key)?.abort()
      return stop(key, { operation, turnId: id })
    }
    if (!threadId || !id) return
    try {
      await ok(api.POST('/v1/conversations/threads/{thread_id}/turns/{turn_id}/cancel', { params: { path: { thread_id: threadId, turn_id: id } }, body: {}, ...as(uuid()) }))
    } catch (thrown) {
      if (isAbort(thrown)) return
      const failed = asFailure(thrown)
      if (failed.status !== 409) toast(messageOf(failed), 'bad')
      else if (!followers.current.has(key)) void follow(key, { threadId, turnId: id }) // it has ended by itself
    }
  }
  const retry = (turn: Turn) => {
    if (!turn.id || !thread.current) return void send(turn.input, turn.key)
    const again = retryOf(turn.id)
    set(turn.key, (x) => ({ ...x, status: 'sending', failure: undefined, text: '', last: '' }))
    keep(null)
    const operation = operationFor(again, turn.id)
    operations.current.set(turn.key, operation)
    void follow(turn.key, { begin: { path: `/v1/conversations/threads/${thread.current}/turns/${turn.id}/retry`, body: {}, operation }, threadId: thread.current, turnId: turn.id }, again)
  }
  const decided = async (turn: Turn) => void (turn.id && (await readCalls(turn.key, turn.id)))
  const running = !!latest && isRunning(latest)
  return {
    turns, loading, failure, running, busy: loading || !!failure || running || latest?.status === 'waiting', load, send, retry, decided, cancel, restart,
    curl: (turn) => curlOf(pathOf(thread.current), bodyIn(turn.input, thread.current)),
  }
}
