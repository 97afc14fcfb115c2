// A conversation of the playground: its turns, and what the events of their streams change.
import type { Schemas } from '../../api/client'
import { Failure } from '../../api/errors'
import type { TurnEvent } from '../../api/stream'

export type Call = Pick<Schemas['StreamedToolCall'], 'id' | 'name' | 'kind' | 'status' | 'arguments'> & { result?: string | null }
export type Attached = Schemas['Attachment']

// Input is what a person sends.
export interface Input {
  content: string
  attachments: Attached[]
  variables: Record<string, string>
}

export interface Turn {
  key: string
  id?: string | undefined
  input: Input
  text: string
  output?: Schemas['Message']['output']
  messageId?: string | undefined
  rating?: Schemas['Rating'] | undefined
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
  stopping?: boolean | undefined // it is to be cancelled once the server is known to have it
}

export const newTurn = (key: string, input: Input): Turn => ({ key, input, text: '', citations: [], calls: [], status: 'sending', last: '', connected: true })

export const hasEnded = (turn: Turn) => turn.status === 'completed' || turn.status === 'failed' || turn.status === 'cancelled'

export const isRunning = (turn: Turn) => turn.status === 'sending' || turn.status === 'running'

// bodyOf returns the body of a turn: fields that say nothing are not sent.
export const bodyOf = ({ content, attachments, variables }: Input) => ({
  content,
  ...(attachments.length > 0 && { attachments: attachments.map(({ file_id }) => ({ file_id })) }),
  ...(Object.keys(variables).length > 0 && { variables }),
})

// withEvent returns a turn after an event.
export function withEvent(turn: Turn, event: TurnEvent): Turn {
  const next: Turn = { ...turn, id: event.turn_id, last: event.type === 'stream.closed' ? turn.last : String(event.sequence_number) }
  switch (event.type) {
    case 'turn.created':
      return { ...next, status: 'running', version: event.bot_version, failure: undefined, input: { ...turn.input, attachments: event.user_message.attachments } }
    case 'message.created':
      return { ...next, status: 'running', text: '', output: null, citations: [], messageId: event.message_id }
    case 'message.delta':
      return { ...next, status: 'running', text: turn.text + event.delta.text }
    case 'citation.added':
      return { ...next, citations: [...turn.citations, event.citation] }
    case 'tool_call.created':
    case 'tool_call.completed':
      return { ...next, calls: turn.calls.some((c) => c.id === event.tool_call.id) ? turn.calls.map((c) => (c.id === event.tool_call.id ? event.tool_call : c)) : [...turn.calls, event.tool_call] }
    case 'message.completed':
      return { ...next, text: event.message.content, output: event.message.output, citations: event.message.citations, messageId: event.message.id }
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

// withStoredCalls returns a turn whose calls that waited are as the API lists them. The turn goes on where none of them waits.
export function withStoredCalls(turn: Turn, stored: Call[]): Turn {
  const calls = turn.calls.length ? turn.calls.map((c) => (c.status === 'waiting' ? (stored.find((s) => s.id === c.id) ?? c) : c)) : stored
  return { ...turn, calls, status: turn.status === 'waiting' && calls.length && !calls.some((c) => c.status === 'waiting') ? 'running' : turn.status }
}

// turnsOf makes the turns of a thread of what the API lists.
export function turnsOf(messages: Schemas['Message'][], records: Schemas['TurnRecord'][]): Turn[] {
  return [...records].reverse().map((r): Turn => {
    const user = messages.find((m) => m.turn_id === r.id && m.role === 'user')
    const answer = messages.find((m) => m.turn_id === r.id && m.role === 'assistant')
    return {
      ...newTurn(r.id, { content: user?.content ?? '', attachments: user?.attachments ?? [], variables: r.variables }),
      id: r.id, status: r.status, output: answer?.output, rating: answer?.feedback?.rating, text: answer?.content ?? r.partial_text ?? '', messageId: answer?.id, citations: answer?.citations ?? [], usage: r.usage, latency: r.latency_ms, version: r.bot_version, model: r.model,
      failure: r.error ? new Failure(422, r.error.code as Failure['code'], r.error.message, '', r.error.details as Record<string, unknown> | null) : undefined,
    }
  })
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

// curlOf returns the call of a turn for a shell. The token is not in it.
export const curlOf = (path: string, body: unknown) =>
  `curl -sS -N ${quote(location.origin + path)} \\\n  -H "Authorization: Bearer $PARLEY_TOKEN" \\\n  -H 'Content-Type: application/json' \\\n  -H 'Accept: text/event-stream' \\\n  -d ${quote(JSON.stringify(body))}`

// roundsOf puts the turns of two conversations together that have the same message. A conversation that did not get it has no turn in the round.
export function roundsOf(left: Turn[], right: Turn[]): [Turn | undefined, Turn | undefined][] {
  const rounds: [Turn | undefined, Turn | undefined][] = []
  const same = (a: Turn, b: Turn) => a.input.content === b.input.content
  let j = 0
  for (const a of left) {
    const at = right.findIndex((b, i) => i >= j && same(a, b))
    if (at >= 0) {
      for (; j < at; j++) rounds.push([undefined, right[j]])
      j++
    }
    rounds.push([a, right[at]])
  }
  for (; j < right.length; j++) rounds.push([undefined, right[j]])
  return rounds
}
