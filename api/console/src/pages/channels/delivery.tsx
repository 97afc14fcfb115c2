import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction, usePolling, useQuery } from '../../api/hooks'
import { useBots } from '../../api/lists'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { duration } from '../../i18n'
import { PageLink } from '../../layout/links'
import { asText, At, Badge, Button, Code, Dialog, Facts, FormError, Id, Notice, Reading, toast } from '../../ui'
import { t } from './messages'
import { Block, DeliveryState, eventName, Said } from './shared'

// About is what the body of an event tells of: ids that lead to other pages, and the messages of a turn.
interface About {
  bot_id?: string | null
  thread_id?: string | null
  document_id?: string | null
  knowledge_base_id?: string | null
  title?: string
  tool_call_id?: string | null
  dead_letter_id?: string | null
  user_message?: { content?: string }
  assistant_message?: { content?: string }
}

export function DeliveryPanel({ id, urlOf, onClose }: { id: string; urlOf: (id: string) => string; onClose: () => void }) {
  const path = { delivery_id: id }
  const delivery = useQuery(`webhook-delivery/${id}`, (signal) => ok(api.GET('/v1/webhook-deliveries/{delivery_id}', { params: { path }, signal })))
  const bots = useBots()
  const retry = useAction(`delivery.retry.${id}`, async (operation) => {
    await ok(api.POST('/v1/webhook-deliveries/{delivery_id}/retry', { params: { path }, body: {}, ...as(operation) }))
    toast(t('retried'))
    delivery.reload()
    invalidate('webhook-deliveries')
    invalidate('dead-letters')
  })
  const d = delivery.data
  usePolling(d?.status === 'pending', delivery, d?.attempts ? 4000 : 1500)
  const about = ((d?.payload as { data?: About } | null | undefined)?.data ?? {}) as About
  return (
    <Dialog
      side
      title={d ? eventName(d.event_type) : t('delivery')}
      onClose={onClose}
      footer={
        d && may('webhooks.manage') && (
          <Button kind={d.status === 'failed' ? 'primary' : 'plain'} icon="retry" busy={retry.pending} onClick={() => void retry.run()}>
            {t('retry')}
          </Button>
        )
      }
    >
      {!d ? (
        <Reading of={delivery} lines={6} tall />
      ) : (
        <div class="stacked">
          <FormError failure={retry.failure} />
          {d.status === 'failed' && <Notice tone="bad" icon="alert">{t('failedDelivery')}</Notice>}
          {d.status === 'pending' && d.attempts > 0 && d.event_type !== 'ping' && <Notice tone="warn" icon="clock">{t('nextAttempt')}</Notice>}
          <Facts
            facts={[
              [t('state'), <DeliveryState of={d} />],
              [t('type'), <code>{d.event_type}</code>],
              [t('subscription'), <PageLink page="channels" to={`/channels/subscriptions/${d.subscription_id}`}><span dir="ltr">{urlOf(d.subscription_id)}</span></PageLink>],
              [t('bot'), about.bot_id && <PageLink page="bots" to={`/bots/${about.bot_id}`}><span dir="auto">{bots.data?.find((b) => b.id === about.bot_id)?.name ?? about.bot_id}</span></PageLink>],
              [t('thread'), about.thread_id && <PageLink page="conversations" to={`/conversations/${about.thread_id}`}>{t('openThread')}</PageLink>],
              [t('document'), about.document_id && about.knowledge_base_id && <PageLink page="knowledge" to={`/knowledge/${about.knowledge_base_id}/${about.document_id}`}><span dir="auto">{about.title || about.document_id}</span></PageLink>],
              [t('toolCall'), about.tool_call_id && <PageLink page="work" to={`/work/calls/${about.tool_call_id}`}><code>{about.tool_call_id}</code></PageLink>],
              [t('deadLetter'), about.dead_letter_id && <PageLink page="work" to={`/work/dead-letters/${about.dead_letter_id}`}><code>{about.dead_letter_id}</code></PageLink>],
              [t('created'), <At at={d.created_at} />],
              [t('ended'), d.finished_at && <At at={d.finished_at} />],
              [t('id'), <><Id id={d.id} label={t('copyId')} /> <small>{t('deliveryIdHint')}</small></>],
            ]}
          />
          <Block title={t('attempts')}>
            {d.log.length ? (
              <ol class="list attempt-list">
                {d.log.map((a) => (
                  <Attempt key={a.number} of={a} />
                ))}
              </ol>
            ) : (
              <p class="hint">{t('noAttempts')}</p>
            )}
          </Block>
          {about.user_message?.content && (
            <Block title={t('message')}>
              <Said>{about.user_message.content}</Said>
            </Block>
          )}
          {about.assistant_message?.content && (
            <Block title={t('reply')}>
              <p class="said reply" dir="auto">
                {about.assistant_message.content}
              </p>
            </Block>
          )}
          <Block title={t('body')}>
            <Code label={t('body')} text={asText(d.payload)} />
          </Block>
        </div>
      )}
    </Dialog>
  )
}

function Attempt({ of: a }: { of: Schemas['WebhookAttempt'] }) {
  return (
    <li>
      <div class="attempt-head">
        <b>{t('attempt', { n: a.number })}</b>
        <Badge tone={a.error === null ? 'good' : 'bad'}>{a.status === null ? t('noAnswer') : `HTTP ${a.status}`}</Badge>
        <small>
          <At at={a.at} /> · {duration(a.latency_ms)}
        </small>
      </div>
      {a.error !== null && (
        <p class="attempt-error" dir="auto">
          {a.error}
        </p>
      )}
      {a.response && <Code label={t('answer', { n: a.number })} text={a.response} />}
    </li>
  )
}
