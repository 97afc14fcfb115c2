// A conversation of the playground: its turns, and what the events of their streams change.
import type { Schemas } from '../../api/client'
import { Failure } from '../../api/errors'
import type { TurnEvent } from '../../api/stream'

export type Call = Pick<Schemas['StreamedToolCall'], 'id' | 'name' | 'kind' | 'status' | 'arguments'> & { result?: string | null }

export interface Turn {
  key: string
  id?: string | undefined
  user: string
  text: string
  messageId?: string | undefined
  citations: Schemas['Citation'][]
  calls: Call[]
  status: 'sending' | Schemas['TurnStatus']
  failure?: Failure | undefined
  usage?: Schemas['TurnUsage'] | undefined
  latency?: number | null | undefined
  version?: number | null | undefined
  model?: string | undefined
  last: string // id of the last event
  connected: boolean
}

export const newTurn = (key: string, user: string): Turn => ({ key, user, text: '', citations: [], calls: [], status: 'sending', last: '', connected: true })

// withEvent returns a turn after an event.
export function withEvent(turn: Turn, event: TurnEvent): Turn {
  const next: Turn = { ...turn, id: event.turn_id, last: event.type === 'stream.closed' ? turn.last : String(event.sequence_number) }
  switch (event.type) {
    case 'turn.created':
      return { ...next, status: 'running', version: event.bot_version, failure: undefined }
    case 'message.created':
      return { ...next, status: 'running', text: '', citations: [], messageId: event.message_id }
    case 'message.delta':
      return { ...next, status: 'running', text: turn.text + event.delta.text }
    case 'citation.added':
      return { ...next, citations: [...turn.citations, event.citation] }
    case 'tool_call.created':
    case 'tool_call.completed':
      return { ...next, calls: [...turn.calls.filter((c) => c.id !== event.tool_call.id), event.tool_call] }
    case 'message.completed':
      return { ...next, text: event.message.content, citations: event.message.citations, messageId: event.message.id }
    case 'turn.completed':
      return { ...next, status: 'completed', usage: event.usage, latency: event.latency_ms }
    case 'turn.waiting':
      return { ...next, status: 'waiting' }
    case 'turn.cancelled':
      return { ...next, status: 'cancelled' }
    case 'turn.failed':
      return { ...next, status: 'failed', failure: new Failure(422, event.error.code, event.error.message, event.error.trace_id, (event.error.details ?? null) as Record<string, unknown> | null) }
    default:
      return next
  }
}

// turnsOf makes the turns of a thread of what the API lists.
export function turnsOf(messages: Schemas['Message'][], records: Schemas['TurnRecord'][]): Turn[] {
  return [...records].reverse().map((r): Turn => {
    const user = messages.find((m) => m.turn_id === r.id && m.role === 'user')
    const answer = messages.find((m) => m.turn_id === r.id && m.role === 'assistant')
    return {
      ...newTurn(r.id, user?.content ?? ''),
      id: r.id, status: r.status, text: answer?.content ?? r.partial_text ?? '', messageId: answer?.id, citations: answer?.citations ?? [], usage: r.usage, latency: r.latency_ms, version: r.bot_version, model: r.model,
      failure: r.error ? new Failure(422, r.error.code as Failure['code'], r.error.message, '', r.error.details as Record<string, unknown> | null) : undefined,
    }
  })
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

// curlOf returns the call of a turn for a shell. The token is not in it.
export const curlOf = (path: string, body: unknown) =>
  `curl -sS -N ${quote(location.origin + path)} \\\n  -H "Authorization: Bearer $PARLEY_TOKEN" \\\n  -H 'Content-Type: application/json' \\\n  -H 'Accept: text/event-stream' \\\n  -d ${quote(JSON.stringify(body))}`
