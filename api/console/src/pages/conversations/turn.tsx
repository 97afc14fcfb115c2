import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { Failure } from '../../api/errors'
import { invalidate, useAction, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { bytes, duration, language, number } from '../../i18n'
import { costOf } from '../../i18n/cost'
import { citedPath } from '../../layout/links'
import { Link, navigate, setQuery } from '../../router'
import { Badge, Button, Code, CopyButton, FormDialog, Icon, IconButton, LinkButton, messageOf, Reading, TextArea, toast, useFailureToast, When } from '../../ui'
import type { Siblings } from './branches'
import { remedyOf, t } from './messages'

type Turn = Schemas['TurnRecord']
type Message = Schemas['Message']

interface TurnProps {
  thread: Schemas['Thread']
  turn: Turn | undefined
  messages: Message[]
  last: boolean
  siblings: Siblings | undefined
}

// TurnView is what was said in a turn, and how the turn went.
export function TurnView({ thread, turn, messages, last, siblings }: TurnProps) {
  const answered = messages.some((m) => m.role === 'assistant')
  return (
    <>
      {messages.map((m) => (
        <MessageView key={m.id} message={m} thread={thread.id}>
          {m.role === 'user' && siblings && <BranchSwitch siblings={siblings} />}
          {m.role === 'assistant' && turn && <TurnFacts turn={turn} />}
        </MessageView>
      ))}
      {turn && !answered && (turn.status === 'running' || turn.status === 'waiting') && <Running turn={turn} />}
      {turn && turn.status === 'failed' && <Failed turn={turn} retry={last && thread.status === 'active'} />}
      {turn && !answered && turn.status === 'cancelled' && (
        <li class="turn-said assistant">
          <Badge>{t('cancelled')}</Badge>
        </li>
      )}
    </>
  )
}

function MessageView({ message: m, thread, children }: { message: Message; thread: string; children: ComponentChildren }) {
  return (
    <li class={`turn-said ${m.role}`}>
      <div class="turn-said-head">
        <b>{t(`says_${m.role}`)}</b>
        <When at={m.created_at} />
        {m.status === 'cancelled' && <Badge>{t('cancelledAnswer')}</Badge>}
        <CopyButton text={m.content} label={t('copy')} />
      </div>
      {m.output ? (
        <Code label={t('output')} text={JSON.stringify(m.output, null, 2)} />
      ) : (
        <div class="turn-said-text" dir="auto">
          <Cited message={m} thread={thread} />
        </div>
      )}
      {m.attachments.length > 0 && (
        <ul class="source-list" aria-label={t('attachments')}>
          {m.attachments.map((a) => (
            <li key={a.file_id} class="source attached">
              <Icon name="file" size={14} />
              <bdi>{a.name}</bdi>
              <small>{a.deleted ? t('attachmentGone') : bytes(a.size)}</small>
            </li>
          ))}
        </ul>
      )}
      {m.citations.length > 0 && (
        <ul class="source-list" aria-label={t('sources')}>
          {m.citations.map((c) => (
            <li key={c.number}>
              <Link to={citedPath(thread, m.turn_id, c)} class="source">
                <span class="source-number" aria-hidden="true">{c.number}</span>
                <bdi>{c.title}</bdi>
                {c.page !== null && <small>{t('page', { n: c.page })}</small>}
              </Link>
            </li>
          ))}
        </ul>
      )}
      {children}
      {m.role === 'assistant' && <Rating message={m} thread={thread} />}
    </li>
  )
}

// Cited is the text of a message in which markers such as [1] lead to their sources.
function Cited({ message: m, thread }: { message: Message; thread: string }) {
  if (!m.citations.length) return <>{m.content}</>
  const byNumber = new Map(m.citations.map((c) => [c.number, c]))
  return (
    <>
      {m.content.split(/(\[\d{1,4}\])/).map((part, i) => {
        const c = i % 2 ? byNumber.get(Number(part.slice(1, -1))) : undefined
        if (!c) return part
        return (
          <Link key={i} class="marker" to={citedPath(thread, m.turn_id, c)} aria-label={t('source', { n: c.number, title: c.title })}>
            {String(c.number)}
          </Link>
        )
      })}
    </>
  )
}

function BranchSwitch({ siblings: s }: { siblings: Siblings }) {
  return (
    <div class="branch" role="group" aria-label={t('branch', { n: s.place, all: s.all })}>
      <IconButton small icon="left" label={t('before')} disabled={!s.before} onClick={() => setQuery({ branch: s.before })} />
      <small aria-hidden="true">{s.place}/{s.all}</small>
      <IconButton small icon="right" label={t('after')} disabled={!s.after} onClick={() => setQuery({ branch: s.after })} />
    </div>
  )
}

function TurnFacts({ turn: x }: { turn: Turn }) {
  const [open, setOpen] = useState(false)
  const tokens = x.usage.input_tokens !== null && x.usage.output_tokens !== null && t('tokens', { in: number(x.usage.input_tokens), out: number(x.usage.output_tokens) })
  const facts = [
    x.bot_version !== null && t('version', { n: x.bot_version }),
    x.model,
    x.latency_ms !== null && duration(x.latency_ms),
    tokens && (x.usage.estimated ? `${tokens} (${t('estimated')})` : tokens),
    x.usage.cost_micros !== null && costOf(x.usage.cost_micros),
    x.attempt > 1 && t('attempt', { n: x.attempt }),
  ].filter((f): f is string => !!f)
  return (
    <>
      <p class="turn-facts">
        {facts.map((f) => (
          <span key={f}>{f}</span>
        ))}
        {may('retrievals.read') && (
          <button type="button" class="text-link" aria-expanded={open} onClick={() => setOpen(!open)}>
            {t('searched')}
          </button>
        )}
      </p>
      {open && <Retrievals turn={x} />}
    </>
  )
}

function Retrievals({ turn }: { turn: Turn }) {
  const path = { thread_id: turn.thread_id, turn_id: turn.id }
  const found = useQuery(`retrievals ${turn.id}`, async (signal) => (await ok(api.GET('/v1/conversations/threads/{thread_id}/turns/{turn_id}/retrievals', { params: { path }, signal }))).items)
  if (!found.data) return <Reading of={found} lines={2} />
  if (!found.data.length) return <p class="hint">{t('searchedNone')}</p>
  const score = new Intl.NumberFormat(language.value, { minimumFractionDigits: 3, maximumFractionDigits: 3 })
  return (
    <div class="retrievals">
      {found.data.map((r) => (
        <div key={r.number}>
          <p class="hint">
            {t('query')}: <bdi>{r.query}</bdi> · {duration(r.latency_ms)}
          </p>
          {!r.candidates.length && <p class="hint">{t('noCandidates')}</p>}
          <ul class="list">
            {r.candidates.map((c) => (
              <li key={c.chunk_id}>
                <Link to={`/knowledge/${c.knowledge_base_id}/${c.document_id}?start=${c.start}&end=${c.end}`}>
                  <b dir="auto">{c.title}</b>
                  {c.page !== null && <span class="hint">{t('page', { n: c.page })}</span>}
                  {c.cited ? <Badge tone="good">{t('cited')}</Badge> : c.given ? <Badge tone="accent">{t('given')}</Badge> : <Badge>{t('leftOut')}</Badge>}
                  <small>{score.format(c.score)}</small>
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </div>
  )
}

function Running({ turn: x }: { turn: Turn }) {
  const cancel = useAction(`turn.cancel ${x.id}`, async (operation) => {
    await ok(api.POST('/v1/conversations/threads/{thread_id}/turns/{turn_id}/cancel', { params: { path: { thread_id: x.thread_id, turn_id: x.id } }, body: {}, ...as(operation) }))
    invalidate(`thread ${x.thread_id}`)
    toast(t('stopped'))
  })
  useFailureToast(cancel.failure)
  return (
    <li class="turn-said assistant">
      <div class="turn-said-head" role="status">
        <Badge tone={x.status === 'waiting' ? 'warn' : 'accent'}>
          {x.status === 'running' && <span class="spinner" aria-hidden="true" />}
          {t(x.status)}
        </Badge>
        {x.status === 'waiting' && <LinkButton small icon="tool" to="/work">{t('reviewCall')}</LinkButton>}
        {may('turns.take') && <Button small icon="stop" busy={cancel.pending} onClick={() => void cancel.run()}>{t('cancel')}</Button>}
      </div>
      {x.partial_text && <div class="turn-said-text" dir="auto">{x.partial_text}</div>}
    </li>
  )
}

function Failed({ turn: x, retry }: { turn: Turn; retry: boolean }) {
  const again = useAction(`turn.retry ${x.id}`, async (operation) => {
    const call = ok(api.POST('/v1/conversations/threads/{thread_id}/turns/{turn_id}/retry', { params: { path: { thread_id: x.thread_id, turn_id: x.id } }, body: {}, ...as(operation, { Accept: 'application/json' }) }))
    await call.finally(() => invalidate(`thread ${x.thread_id}`))
  })
  const code = x.error?.code ?? ''
  const said = x.error ? messageOf(new Failure(500, code as Failure['code'], x.error.message)) : ''
  return (
    <li class="turn-said assistant">
      <div class="notice bad">
        <Icon name="alert" />
        <div class="notice-body">
          <p>
            <b>{t('failedTitle')}.</b> <bdi>{said}</bdi>
          </p>
          <p>{remedyOf(code)}</p>
          {x.partial_text && <div class="turn-said-text" dir="auto">{x.partial_text}</div>}
          <p class="turn-facts">
            <code>{code}</code>
            <span>{t('attempt', { n: x.attempt })}</span>
            {x.model && <span>{x.model}</span>}
            {x.latency_ms !== null && <span>{duration(x.latency_ms)}</span>}
          </p>
          <div class="notice-actions">
            {retry && may('turns.take') && <Button small icon="retry" busy={again.pending} onClick={() => void again.run()}>{again.pending ? t('retrying') : t('retry')}</Button>}
            {x.bot_id && may('bots.write') && <Button small onClick={() => void navigate(`/bots/${x.bot_id}`)}>{t('toBot')}</Button>}
          </div>
        </div>
      </div>
    </li>
  )
}

function Rating({ message: m, thread }: { message: Message; thread: string }) {
  const [asking, setAsking] = useState(false)
  const [comment, setComment] = useState('')
  const rate = useAction(`message.rate ${m.id}`, async (operation, body: Schemas['Feedback']) => {
    await ok(api.PUT('/v1/conversations/messages/{message_id}/feedback', { params: { path: { message_id: m.id } }, body, ...as(operation) }))
    setAsking(false)
    invalidate(`thread ${thread} messages`)
    toast(body.rating === 'good' ? t('ratedGood') : t('ratedBad'))
  })
  useFailureToast(asking ? null : rate.failure)
  if (!may('turns.take')) return null
  const given = m.feedback?.rating
  return (
    <div class="rating" role="group" aria-label={t('rate')}>
      <IconButton small icon="up" label={t('good')} aria-pressed={given === 'good'} onClick={() => void rate.run({ rating: 'good' })} />
      <IconButton small icon="down" label={t('bad')} aria-pressed={given === 'bad'} onClick={() => (setComment(m.feedback?.comment ?? ''), setAsking(true))} />
      {m.feedback?.comment && <small dir="auto">{t('yourComment', { text: m.feedback.comment })}</small>}
      {asking && (
        <FormDialog title={t('rateBad')} submit={t('rateBad')} action={rate} onSubmit={() => void rate.run({ rating: 'bad', ...(comment.trim() && { comment: comment.trim() }) })} onClose={() => (rate.clear(), setAsking(false))}>
          <TextArea label={t('comment')} hint={t('commentHint')} optional rows={4} maxLength={1000} value={comment} onInput={setComment} />
        </FormDialog>
      )}
    </div>
  )
}
