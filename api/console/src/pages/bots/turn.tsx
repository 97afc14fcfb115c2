import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { asFailure } from '../../api/errors'
import { useAction, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { duration, number } from '../../i18n'
import { costOf } from '../../i18n/cost'
import { Badge, Button, Code, CopyButton, copyText, FormError, Icon, IconButton, messageOf, RetryButton, TextField, toast } from '../../ui'
import { t as ui } from '../../ui/messages'
import { AttachedFiles } from './attachments'
import { hasEnded, isRunning, type Call, type Input, type Turn } from './conversation'
import { t } from './messages'
import type { Conversation } from './use-conversation'

export type Cited = Schemas['Citation']

interface AnswerProps {
  turn: Turn
  last: boolean
  botName: string
  chat: Conversation
  onCite: (citation: Cited) => void
}

// TurnView shows a message and its answer.
export const TurnView = (props: AnswerProps) => (
  <article class="turn">
    <Asked input={props.turn.input} />
    <Answer {...props} />
  </article>
)

// Asked is the message of a turn.
export function Asked({ input }: { input: Input }) {
  const variables = Object.entries(input.variables)
  return (
    <div class="said user">
      <span class="visually-hidden">{t('you')}: </span>
      <div class="bubble" dir="auto">{input.content}</div>
      <AttachedFiles files={input.attachments} />
      {variables.length > 0 && <p class="hint said-with" dir="auto">{variables.map(([name, value]) => `${name}: ${value}`).join(' · ')}</p>}
    </div>
  )
}

// Answer is the answer of a turn, with sources, calls of tools and what it has cost.
export function Answer({ turn, last, botName, chat, onCite }: AnswerProps) {
  const running = isRunning(turn)
  // Calls of a turn that was not followed from its beginning are read.
  const stored = useQuery(turn.id && !turn.calls.length && !running ? `tool-calls/${turn.id}` : null, (signal) => ok(api.GET('/v1/tool-calls', { params: { query: { turn_id: turn.id!, limit: 50 } }, signal })))
  const calls: Call[] = turn.calls.length ? turn.calls : [...(stored.data?.items ?? [])].reverse()
  const sources = [...new Map(turn.citations.map((c) => [c.number, c])).values()]
  return (
    <div class="said bot">
      <span class="visually-hidden">{botName}: </span>
      {calls.map((call) => (
        <ToolCall key={call.id} call={call} ended={hasEnded(turn)} onDecided={() => chat.decided(turn)} />
      ))}
      {turn.output ? (
        <Code label={t('output')} text={JSON.stringify(turn.output, null, 2)} />
      ) : turn.text && (
        <div class="answer" dir="auto">
          <Cite text={turn.text} citations={turn.citations} onCite={onCite} />
          {running && <span class="caret" aria-hidden="true" />}
        </div>
      )}
      {running && (turn.stopping || !turn.text) && <p class="thinking" role="status"><span class="spinner" aria-hidden="true" /> {t(turn.stopping ? 'stopping' : 'thinking')}</p>}
      {running && !turn.connected && <p class="thinking" role="status">{t('reconnecting')}</p>}
      {turn.status === 'cancelled' && <p class="hint">{t('cancelled')}</p>}
      {turn.status === 'failed' && turn.failure && (
        <div class="notice bad">
          <Icon name="alert" />
          <div class="notice-body">
            <p role="alert">{messageOf(turn.failure)}</p>
            {typeof turn.failure.details?.problem === 'string' && <p dir="auto">{turn.failure.details.problem}</p>}
            {last && <RetryButton small failure={turn.failure} onRetry={() => chat.retry(turn)} />}
          </div>
        </div>
      )}
      {turn.status === 'waiting' && <p class="hint">{t('waitingText')} <button type="button" class="link" onClick={() => void chat.cancel()}>{t('cancelTurn')}</button></p>}
      {sources.length > 0 && !running && (
        <ul class="sources" aria-label={t('sources')}>
          {sources.map((c) => (
            <li key={c.number}>
              <button type="button" onClick={() => onCite(c)}>
                <span class="number">{c.number}</span>
                <span dir="auto">{c.title}</span>
                {c.page && <small>{t('page', { n: String(c.page) })}</small>}
              </button>
            </li>
          ))}
        </ul>
      )}
      {!running && turn.status !== 'waiting' && <Meta turn={turn} curl={() => chat.curl(turn)} />}
    </div>
  )
}

function Meta({ turn, curl }: { turn: Turn; curl: () => string }) {
  const u = turn.usage
  const parts = [
    turn.version && `v${turn.version}`,
    turn.model,
    u?.input_tokens != null && u.output_tokens != null && t('tokens', { in: number(u.input_tokens), out: number(u.output_tokens) }),
    turn.latency != null && duration(turn.latency),
    u?.cost_micros != null && costOf(u.cost_micros),
  ].filter(Boolean)
  return (
    <div class="meta">
      <span>{parts.join(' · ')}</span>
      <span class="meta-actions">
        {turn.messageId && turn.status === 'completed' && may('turns.take') && <Rate id={turn.messageId} given={turn.rating ?? null} />}
        {turn.text && <CopyButton text={turn.text} label={t('copyAnswer')} />}
        <Button small kind="quiet" icon="code" onClick={() => void copyText(curl()).then((done) => toast(ui(done ? 'copied' : 'copyFailed'), done ? 'good' : 'bad'))}>{t('asCurl')}</Button>
      </span>
    </div>
  )
}

function Rate({ id, given }: { id: string; given: Schemas['Rating'] | null }) {
  const [rated, setRated] = useState(given)
  const rate = useAction(`rate.${id}`, async (operation, rating: Schemas['Rating']) => {
    await ok(api.PUT('/v1/conversations/messages/{message_id}/feedback', { params: { path: { message_id: id } }, body: { rating }, ...as(operation) }))
    setRated(rating)
  })
  useEffect(() => void (rate.failure && toast(messageOf(rate.failure), 'bad')), [rate.failure])
  return (
    <>
      <IconButton small icon="up" label={t('good')} aria-pressed={rated === 'good'} onClick={() => void rate.run('good')} />
      <IconButton small icon="down" label={t('bad')} aria-pressed={rated === 'bad'} onClick={() => void rate.run('bad')} />
    </>
  )
}

// Cite shows a text whose numbers in brackets open what they cite.
function Cite({ text, citations, onCite }: { text: string; citations: Cited[]; onCite: (c: Cited) => void }) {
  const parts: ComponentChildren[] = []
  const seen = new Map<number, number>()
  let from = 0
  for (const found of text.matchAll(/\[(\d{1,3})\]/g)) {
    const n = Number(found[1])
    const all = citations.filter((c) => c.number === n)
    if (!all.length) continue
    const nth = seen.get(n) ?? 0 // several citations can have the same number: the nth place is of the nth
    seen.set(n, nth + 1)
    const citation = all[Math.min(nth, all.length - 1)]!
    parts.push(text.slice(from, found.index))
    parts.push(
      <button type="button" key={found.index} class="citation" title={citation.quote || citation.title} aria-label={t('openSource', { n: String(n), title: citation.title })} onClick={() => onCite(citation)}>
        {n}
      </button>,
    )
    from = found.index + found[0].length
  }
  parts.push(text.slice(from))
  return <>{parts}</>
}

const tones = { waiting: 'warn', succeeded: 'good', failed: 'bad', denied: 'bad', expired: 'bad', unknown: 'warn' } as Record<string, 'warn' | 'good' | 'bad'>

function ToolCall({ call, ended, onDecided }: { call: Call; ended: boolean; onDecided: () => Promise<void> }) {
  const [reason, setReason] = useState('')
  const decide = useAction(`decide.${call.id}`, async (operation, body: Schemas['ToolCallDecision']) => {
    await ok(api.POST('/v1/tool-calls/{tool_call_id}/decision', { params: { path: { tool_call_id: call.id } }, body, ...as(operation) })).catch((thrown: unknown) => {
      if (asFailure(thrown).code !== 'TOOL_CALL_DECIDED') throw thrown // somebody else was quicker
    })
    await onDecided()
  })
  const open = !ended && call.status === 'waiting'
  return (
    <details class="tool-call" open={open}>
      <summary>
        <Icon name="tool" />
        <code>{call.name}</code>
        <Badge tone={tones[call.status] ?? 'plain'}>{t(`call_${call.status}` as 'call_waiting')}</Badge>
      </summary>
      <Code label={t('arguments')} text={typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments, null, 2)} />
      {call.result && <Code label={t('result')} text={call.result} />}
      {open && call.kind !== 'client' && may('tools.approve') && (
        <div class="decision">
          <FormError failure={decide.failure} />
          <TextField label={t('reason')} optional maxLength={1000} value={reason} onInput={setReason} />
          <div class="page-actions">
            <Button busy={decide.pending} onClick={() => void decide.run({ decision: 'deny', ...(reason.trim() && { reason: reason.trim() }) })}>{t('deny')}</Button>
            <Button kind="primary" busy={decide.pending} onClick={() => void decide.run({ decision: 'approve' })}>{t('approve')}</Button>
          </div>
        </div>
      )}
    </details>
  )
}
