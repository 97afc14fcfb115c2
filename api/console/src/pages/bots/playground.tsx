import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { api, ok } from '../../api/client'
import { asFailure, isAbort, type Failure } from '../../api/errors'
import { invalidate } from '../../api/hooks'
import { as, operationFor, settle, uuid } from '../../api/operation'
import { may } from '../../api/permissions'
import { followTurn, type Following } from '../../api/stream'
import { read, write } from '../../state/storage'
import { Button, EmptyState, ErrorState, Icon, IconButton, Notice, Skeleton } from '../../ui'
import type { BotDetail } from './bot'
import { curlOf, newTurn, turnsOf, withEvent, type Turn } from './conversation'
import { DocumentDialog } from './document'
import { t } from './messages'
import { TurnView, type Cited } from './turn'

const ended = new Set<Turn['status']>(['completed', 'failed', 'cancelled', 'waiting'])

// Playground talks to a bot: to the version that answers, or by trials to the newest one that is not published.
export function Playground({ bot }: { bot: BotDetail }) {
  const unpublished = bot.current_version !== bot.published_version
  const [version, setVersion] = useState<number | null>(null) // null: the one that answers
  return <Conversation key={`${bot.id} ${version ?? ''}`} bot={bot} version={version} switcher={unpublished && may('bots.write') && (
    <div class="segmented" role="group" aria-label={t('whichVersion')}>
      <button type="button" aria-pressed={version === null} onClick={() => setVersion(null)}>{t('liveVersion', { version: `v${bot.published_version}` })}</button>
      <button type="button" aria-pressed={version !== null} onClick={() => setVersion(bot.current_version)}>{t('tryVersion', { version: `v${bot.current_version}` })}</button>
    </div>
  )} />
}

function Conversation({ bot, version, switcher }: { bot: BotDetail; version: number | null; switcher: ComponentChildren }) {
  const slot = `playground.${bot.id}.${version ?? ''}`
  const [thread, setThread] = useState(() => read(sessionStorage, slot))
  const [turns, setTurns] = useState<Turn[]>([])
  const [loading, setLoading] = useState(!!thread)
  const [failure, setFailure] = useState<Failure | null>(null)
  const [text, setText] = useState(() => read(sessionStorage, `${slot}.text`) ?? '')
  const [document_, setDocument] = useState<Cited | null>(null)
  const aborts = useRef(new AbortController())
  const area = useRef<HTMLTextAreaElement>(null)
  const end = useRef<HTMLDivElement>(null)
  const set = (key: string, change: (turn: Turn) => Turn) => setTurns((all) => all.map((x) => (x.key === key ? change(x) : x)))
  const keepThread = (id: string) => {
    setThread(id)
    write(sessionStorage, slot, id)
  }

  const follow = async (key: string, following: Omit<Following, 'signal'>, onBegun?: () => void) => {
    let begun = false
    try {
      for await (const event of followTurn({ ...following, signal: aborts.current.signal, onConnection: (connected) => set(key, (x) => ({ ...x, connected })) })) {
        if (!begun) {
          begun = true
          onBegun?.()
          keepThread(event.thread_id)
        }
        set(key, (x) => withEvent(x, event))
        if (event.type === 'turn.completed') void detail(key, event.thread_id, event.turn_id)
      }
    } catch (thrown) {
      if (isAbort(thrown) || aborts.current.signal.aborted) return
      set(key, (x) => ({ ...x, status: 'failed', failure: asFailure(thrown) }))
    }
    invalidate('home')
  }
  // detail reads what the events do not say.
  const detail = async (key: string, threadId: string, turnId: string) => {
    const record = await ok(api.GET('/v1/conversations/threads/{thread_id}/turns/{turn_id}', { params: { path: { thread_id: threadId, turn_id: turnId } } })).catch(() => null)
    if (record) set(key, (x) => ({ ...x, model: record.model, version: record.bot_version }))
  }

  const load = async () => {
    if (!thread) return
    setLoading(true)
    setFailure(null)
    try {
      const path = { thread_id: thread }
      const [messages, records] = await Promise.all([
        ok(api.GET('/v1/conversations/threads/{thread_id}/messages', { params: { path, query: { limit: 100, order: 'desc' } }, signal: aborts.current.signal })),
        ok(api.GET('/v1/conversations/threads/{thread_id}/turns', { params: { path, query: { limit: 50 } }, signal: aborts.current.signal })),
      ])
      const found = turnsOf(messages.items, records.items)
      setTurns(found)
      setLoading(false)
      for (const turn of found) {
        if ((turn.status === 'running' || turn.status === 'waiting') && turn.id) void follow(turn.key, { threadId: thread, turnId: turn.id })
      }
    } catch (thrown) {
      if (isAbort(thrown)) return
      const failed = asFailure(thrown)
      if (failed.status === 404) restart()
      else setFailure(failed)
      setLoading(false)
    }
  }
  useEffect(() => {
    aborts.current = new AbortController()
    void load()
    return () => aborts.current.abort()
  }, [])
  useEffect(() => write(sessionStorage, `${slot}.text`, text || null), [text])
  useLayoutEffect(() => end.current?.scrollIntoView({ block: 'end' }), [turns])

  const restart = () => {
    aborts.current.abort()
    aborts.current = new AbortController()
    write(sessionStorage, slot, null)
    setThread(null)
    setTurns([])
    area.current?.focus()
  }

  const pathOf = (threadId: string | null) => (version === null ? `/v1/conversations/threads/${threadId ?? 'THREAD_ID'}/turn` : `/v1/bots/${bot.id}/versions/${version}/try`)
  const bodyOf = (content: string, threadId: string | null) => (version === null || !threadId ? { content } : { content, thread_id: threadId })

  // send sends a message. Where it gets no answer, sending it again uses the same operation ids.
  const send = async (content: string, key = uuid()) => {
    const name = `turn.${slot}`
    setTurns((all) => [...all.filter((x) => x.key !== key), newTurn(key, content)])
    setText('')
    try {
      let to = thread
      if (!to && version === null) {
        to = (await ok(api.POST('/v1/conversations/threads', { body: { bot_id: bot.id }, ...as(operationFor(`${name}.thread`, bot.id)) }))).id
        settle(`${name}.thread`)
        keepThread(to)
      }
      const body = bodyOf(content, to)
      await follow(key, { begin: { path: pathOf(to), body, operation: operationFor(name, [to, content]) } }, () => settle(name))
    } catch (thrown) {
      if (!isAbort(thrown)) set(key, (x) => ({ ...x, status: 'failed', failure: asFailure(thrown) }))
    }
  }
  const cancel = async (turn: Turn) => {
    if (!thread || !turn.id) return
    try {
      await ok(api.POST('/v1/conversations/threads/{thread_id}/turns/{turn_id}/cancel', { params: { path: { thread_id: thread, turn_id: turn.id } }, body: {}, ...as(uuid()) }))
      if (turn.status === 'waiting') set(turn.key, (x) => ({ ...x, status: 'cancelled' }))
    } catch {
      // it has ended by itself
    }
  }
  const retry = (turn: Turn) => {
    if (!turn.id || !thread) return void send(turn.user, turn.key)
    set(turn.key, (x) => ({ ...x, status: 'sending', failure: undefined, text: '', last: '' }))
    void follow(turn.key, { begin: { path: `/v1/conversations/threads/${thread}/turns/${turn.id}/retry`, body: {}, operation: uuid() }, threadId: thread, turnId: turn.id })
  }
  const resume = (turn: Turn) => {
    if (!thread || !turn.id) return
    set(turn.key, (x) => ({ ...x, status: 'running' }))
    void follow(turn.key, { threadId: thread, turnId: turn.id, ...(turn.last && { lastEventId: turn.last }) })
  }

  const latest = turns.at(-1)
  const busy = !!latest && (!ended.has(latest.status) || latest.status === 'waiting')
  const running = !!latest && !ended.has(latest.status)
  const bases = (Array.isArray(bot.settings.knowledge) ? (bot.settings.knowledge as { id: string }[]) : []).map((k) => k.id)
  const allowed = may('turns.take') && bot.status !== 'archived'
  const submit = () => {
    const content = text.trim()
    if (content && !busy) void send(content)
  }

  return (
    <div class="playground">
      <div class="playground-bar">
        {switcher}
        {turns.length > 0 && <Button small kind="quiet" icon="plus" onClick={restart}>{t('newThread')}</Button>}
      </div>
      <div class="thread" role="log" aria-label={t('conversation')} aria-busy={running} tabIndex={0}>
        <div class="thread-inner">
          {loading ? (
            <Skeleton lines={4} />
          ) : failure ? (
            <ErrorState failure={failure} onRetry={() => void load()} />
          ) : turns.length === 0 ? (
            <EmptyState icon="chat" title={t('talkTo', { name: bot.name })}>
              {t('talkHint')}
            </EmptyState>
          ) : (
            turns.map((turn, i) => (
              <TurnView
                key={turn.key} turn={turn} last={i === turns.length - 1} botName={bot.name}
                curl={() => curlOf(pathOf(thread), bodyOf(turn.user, thread))}
                onCite={setDocument} onRetry={() => retry(turn)} onDecided={() => resume(turn)} onCancel={() => void cancel(turn)}
              />
            ))
          )}
          <div ref={end} />
        </div>
      </div>
      {bot.status === 'archived' && <div class="composer"><Notice>{t('archivedText')}</Notice></div>}
      {allowed && (
        <form class="composer" onSubmit={(e) => (e.preventDefault(), submit())}>
          <div class="composer-box">
            <textarea
              ref={area} rows={1} dir="auto" maxLength={50000} aria-label={t('message')} placeholder={t('messagePlaceholder', { name: bot.name })} value={text}
              onInput={(e) => setText(e.currentTarget.value)}
              onKeyDown={(e) => {
                if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) {
                  e.preventDefault()
                  submit()
                }
              }}
            />
            {running ? (
              <IconButton class="send" icon="stop" label={t('stop')} onClick={() => latest && void cancel(latest)} />
            ) : (
              <button type="submit" class="icon-button send" aria-label={t('send')} title={t('send')} disabled={!text.trim() || busy}>
                <Icon name="send" />
              </button>
            )}
          </div>
        </form>
      )}
      {document_ && <DocumentDialog bases={bases} documentId={document_.document_id} title={document_.title} start={document_.start} end={document_.end} onClose={() => setDocument(null)} />}
    </div>
  )
}
