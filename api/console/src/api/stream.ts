// Server-sent events by fetch, which can send headers. A stream whose connection is lost goes on after the last event.
import type { Schemas } from './client'
import { send } from './client'
import { asFailure, Failure, failureOf, isAbort } from './errors'

export type TurnEvent = Schemas['TurnEvent']

interface Received {
  id: string
  event: TurnEvent
}

// read reads the events of one answer.
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<Received> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>).getReader()
  let rest = ''
  let id = ''
  let data: string[] = []
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      rest += value
      const lines = rest.split(/\r\n|\n|\r/)
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line === '') {
          if (data.length) yield { id, event: JSON.parse(data.join('\n')) as TurnEvent }
          data = []
        } else if (!line.startsWith(':')) {
          const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? []
          if (field === 'data') data.push(value ?? '')
          else if (field === 'id') id = value ?? ''
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

const last = new Set(['turn.completed', 'turn.failed', 'turn.cancelled'])
const resumable = new Set(['session_ended', 'access_unverified']) // the next call waits for the sign-in, or succeeds later

export interface Following {
  begin?: { path: string; body: unknown; operation: string } // the call that begins the turn; without it the turn runs already
  threadId?: string
  turnId?: string
  lastEventId?: string
  signal: AbortSignal
  onConnection?: (connected: boolean) => void
}

// followTurn takes a turn, or follows one, to its end: events arrive once and in order, over as many connections as it takes.
// A turn that waits for a decision is followed too: its stream ends, and the next one stays silent until the turn goes on.
export async function* followTurn(o: Following): AsyncGenerator<TurnEvent> {
  let { threadId, turnId } = o
  let lastId = o.lastEventId ?? ''
  let waits = false
  for (let failures = 0; ; ) {
    let lost = true
    try {
      const response = await send(request(o, threadId, turnId, lastId))
      if (response.status === 204) return
      if (!response.ok || !response.body) throw await failureOf(response)
      o.onConnection?.(true)
      for await (const { id, event } of readEvents(response.body)) {
        failures = 0
        if (id) lastId = id
        turnId = event.turn_id
        threadId = event.thread_id
        if (event.type === 'stream.closed') {
          if (resumable.has(event.reason)) break
          throw new Failure(403, 'FORBIDDEN', 'You may no longer read this answer. It goes on without you.', event.trace_id)
        }
        waits = event.type === 'turn.waiting'
        yield event
        if (last.has(event.type)) return
      }
      lost = !waits
    } catch (thrown) {
      const failure = asFailure(thrown)
      if (o.signal.aborted || isAbort(thrown) || !(failure.passing || thrown instanceof SyntaxError) || (failure.status && !lastId)) throw thrown
    }
    if (o.signal.aborted) return
    // The connection was lost before the last event, or the turn waits.
    if (lost) o.onConnection?.(false)
    failures = lost ? failures + 1 : 0
    await pause(Math.min(8000, 250 * 2 ** failures), o.signal)
  }
}

function request(o: Following, threadId: string | undefined, turnId: string | undefined, lastId: string): Request {
  const headers: Record<string, string> = { Accept: 'text/event-stream' }
  if (lastId) headers['Last-Event-ID'] = lastId
  // Where the stream of the call has begun, the turn is followed; else the same call is sent again, which does nothing twice.
  if (threadId && turnId && (lastId || !o.begin)) {
    return new Request(`${location.origin}/v1/conversations/threads/${encodeURIComponent(threadId)}/turns/${encodeURIComponent(turnId)}/events`, { headers, signal: o.signal })
  }
  headers['Content-Type'] = 'application/json'
  headers['X-Operation-Id'] = o.begin!.operation
  return new Request(location.origin + o.begin!.path, { method: 'POST', headers, body: JSON.stringify(o.begin!.body), signal: o.signal })
}

// pause waits, or less where the browser is online again.
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer)
      removeEventListener('online', end)
      signal.removeEventListener('abort', end)
      done()
    }
    const timer = setTimeout(end, ms)
    addEventListener('online', end)
    signal.addEventListener('abort', end)
  })
}
