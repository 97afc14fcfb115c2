import { api, ok, type Schemas } from '../../api/client'
import { usePolling, useQuery } from '../../api/hooks'
import { may } from '../../api/permissions'
import { PageLink } from '../../layout/links'
import { asText, At, Code, Dialog, ErrorState, Facts, Id, LinkButton, Notice, Reading, Skeleton } from '../../ui'
import { remedyOf, t as conversation } from '../conversations/messages'
import { t } from './messages'
import { Block, eventName, EventState, Said } from './shared'

type Detail = Schemas['WebhookEventDetail']

// textIn returns the text of a message that came in.
function textIn(payload: unknown): string | undefined {
  const text = (payload as { data?: { text?: unknown } } | null)?.data?.text
  return typeof text === 'string' ? text : undefined
}

export function EventPanel({ id, endpointName, onClose }: { id: string; endpointName: (id: string) => string; onClose: () => void }) {
  const event = useQuery(`webhook-event/${id}`, (signal) => ok(api.GET('/v1/webhook-events/{event_id}', { params: { path: { event_id: id } }, signal })))
  const e = event.data
  usePolling(e?.status === 'received', event)
  const text = e && textIn(e.payload)
  return (
    <Dialog side title={e ? eventName(e.type) : t('event')} onClose={onClose}>
      {!e ? (
        <Reading of={event} lines={6} tall />
      ) : (
        <div class="stacked">
          {e.type === 'message.received' && text !== undefined && (
            <Block title={t('message')}>
              <Said>{text}</Said>
            </Block>
          )}
          <Outcome of={e} />
          <Facts
            facts={[
              [t('state'), <EventState of={e} />],
              [t('type'), <code>{e.type}</code>],
              [t('endpoint'), <span dir="auto">{endpointName(e.endpoint_id)}</span>],
              [t('webhookId'), <Id id={e.webhook_id} label={t('copyId')} />],
              [t('conversation'), e.conversation_id && <code dir="auto">{e.conversation_id}</code>],
              [t('at'), <At at={e.received_at} />],
              [t('processed'), e.processed_at && <At at={e.processed_at} />],
              [t('thread'), e.thread_id && <PageLink page="conversations" to={`/conversations/${e.thread_id}`}>{t('openThread')}</PageLink>],
              [t('operation'), <Id id={e.operation_id} label={t('copyId')} />],
            ]}
          />
          <Block title={t('body')}>
            <Code label={t('body')} text={asText(e.payload)} />
          </Block>
        </div>
      )}
    </Dialog>
  )
}

// Outcome is what became of an event: the reply, or why there is none.
function Outcome({ of: e }: { of: Detail }) {
  if (e.status === 'ignored') return <Notice icon="file">{t('onlyStored')}</Notice>
  return (
    <>
      {e.thread_id && e.turn_id && <Reply thread={e.thread_id} turn={e.turn_id} />}
      {e.status === 'failed' && <GivenUp of={e} />}
      {e.status === 'received' && <Notice icon="clock">{t('waitsQueue')}</Notice>}
    </>
  )
}

function Reply({ thread, turn: id }: { thread: string; turn: string }) {
  const reply = useQuery(`webhook-reply/${id}`, async (signal) => {
    const turn = await ok(api.GET('/v1/conversations/threads/{thread_id}/turns/{turn_id}', { params: { path: { thread_id: thread, turn_id: id } }, signal }))
    if (!turn.assistant_message_id) return { turn, text: undefined }
    const messages = await ok(api.GET('/v1/conversations/threads/{thread_id}/messages', { params: { path: { thread_id: thread }, query: { branch: id, order: 'desc', limit: 10 } }, signal }))
    return { turn, text: messages.items.find((m) => m.id === turn.assistant_message_id)?.content }
  })
  const turn = reply.data?.turn
  const live = turn?.status === 'running' || turn?.status === 'waiting'
  usePolling(live, reply, turn?.status === 'waiting' ? 5000 : 1500)
  if (!reply.data || !turn) return reply.failure ? (reply.failure.status === 404 ? <Notice icon="trash">{t('turnGone')}</Notice> : <ErrorState failure={reply.failure} onRetry={reply.reload} />) : <Skeleton lines={2} />
  if (reply.data.text !== undefined) {
    return (
      <Block title={t('reply')}>
        <p class="said reply" dir="auto">
          {reply.data.text}
        </p>
      </Block>
    )
  }
  if (turn.status === 'failed' && turn.error) {
    return (
      <Notice tone="bad" icon="alert">
        <b>{t('failedReply')}</b>
        <p dir="auto">{turn.error.message}</p>
        <p>{remedyOf(turn.error.code)}</p>
      </Notice>
    )
  }
  if (turn.status === 'waiting') return <Notice tone="warn" icon="clock" action={<LinkButton small to="/work">{t('toWork')}</LinkButton>}>{t('waitsApproval')}</Notice>
  if (turn.status === 'cancelled') return <Notice icon="stop">{t('stopped')}{turn.partial_text && <Said>{turn.partial_text}</Said>}</Notice>
  return <Notice icon={live ? 'clock' : 'trash'}>{t(live ? 'waitsReply' : 'turnGone')}</Notice>
}

// GivenUp is an event whose job was given up, with its last error for those who may read jobs: its code and what to do about it
// first, the whole text for whoever asks.
function GivenUp({ of: e }: { of: Detail }) {
  const letters = useQuery(may('jobs.read') ? 'dead-letters of webhooks' : null, async (signal) => (await ok(api.GET('/v1/dead-letters', { params: { query: { limit: 100, kind: 'webhook.answer' } }, signal }))).items)
  const letter = letters.data?.find((l) => l.key === e.operation_id || l.operation_id === e.operation_id)
  const code = /^([A-Z][A-Z_]+): /.exec(letter?.last_error ?? '')?.[1]
  return (
    <Notice tone="bad" icon="alert">
      <p>{t('failedEvent')}</p>
      {letter && !code && <p dir="auto">{letter.last_error}</p>}
      {letter && code && (
        <>
          <p>
            <code>{code}</code> {remedyOf(code)}
          </p>
          <details>
            <summary>{conversation('details')}</summary>
            <p dir="auto">{letter.last_error}</p>
          </details>
        </>
      )}
      {may('jobs.read') && <LinkButton small to={letter ? `/work/dead-letters/${letter.id}` : '/work/dead-letters'}>{t('toDeadLetters')}</LinkButton>}
    </Notice>
  )
}
