import { useEffect, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { asFailure } from '../../api/errors'
import { invalidate, useAction, usePages, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { saveAs } from '../../api/save'
import { Link, navigate, query, setQuery } from '../../router'
import { At, Badge, Button, confirm, EmptyState, Icon, Menu, messageOf, Notice, PageBody, PageHeader, Reading, toast, useFailureToast } from '../../ui'
import { branchesOf } from './branches'
import { t } from './messages'
import { titleOf, whoOf } from './names'
import { TurnView } from './turn'

type Message = Schemas['Message']
export type Turn = Schemas['TurnRecord']

const page = { limit: 100 }

// ThreadPage is a thread: its messages, the newest last, with the turns that they are of.
export function ThreadPage({ id }: { id: string }) {
  const branch = query('branch') ?? ''
  const path = { thread_id: id }
  const at = { ...(branch && { branch }) }
  const thread = useQuery(`thread ${id}`, (signal) => ok(api.GET('/v1/conversations/threads/{thread_id}', { params: { path }, signal })))
  const messages = usePages(`thread ${id} messages ${branch}`, (cursor, signal) => ok(api.GET('/v1/conversations/threads/{thread_id}/messages', { params: { path, query: { ...page, ...at, order: 'desc', ...(cursor && { cursor }) } }, signal })))
  const turns = usePages(`thread ${id} turns ${branch}`, (cursor, signal) => ok(api.GET('/v1/conversations/threads/{thread_id}/turns', { params: { path, query: { ...page, ...at, ...(cursor && { cursor }) } }, signal })))
  const all = useQuery(`thread ${id} turns all`, async (signal) => (await ok(api.GET('/v1/conversations/threads/{thread_id}/turns', { params: { path, query: { ...page, branch: 'all' } }, signal }))).items)

  const newest = turns.data?.[0]
  const live = newest?.status === 'running' || newest?.status === 'waiting'
  useEffect(() => {
    if (!live || turns.loading) return
    const timer = setTimeout(() => invalidate(`thread ${id}`), newest.status === 'running' ? 1200 : 4000)
    return () => clearTimeout(timer)
  }, [live, turns.loading, turns.data])

  const x = thread.data
  const failure = thread.failure ?? messages.failure ?? turns.failure
  if (!x || !messages.data || !turns.data) {
    return (
      <>
        <PageHeader title={t('conversation')} crumb={{ to: '/conversations', label: t('title') }} />
        <PageBody narrow><Reading of={{ failure, reload: () => invalidate(`thread ${id}`) }} gone={<Gone />} lines={6} tall /></PageBody>
      </>
    )
  }
  const groups = groupsOf(messages.data, turns.data)
  const siblings = branchesOf(all.data ?? [])
  const earlier = () => {
    messages.more()
    if (turns.hasMore) turns.more()
  }
  return (
    <>
      <PageHeader
        title={titleOf(x)}
        crumb={{ to: '/conversations', label: t('title') }}
        badge={
          <>
            {x.trial && <Badge>{t('trial')}</Badge>}
            {x.status === 'archived' && <Badge>{t('archived')}</Badge>}
          </>
        }
        actions={<ThreadActions thread={x} branch={branch} />}
      />
      <PageBody narrow>
        <Facts thread={x} />
        {branch && branch !== x.current_turn_id && (
          <div class="after-facts">
            <Notice icon="alert" action={<Button small onClick={() => setQuery({ branch: null })}>{t('currentBranch')}</Button>}>{t('otherBranch')}</Notice>
          </div>
        )}
        {messages.hasMore && (
          <div class="earlier">
            <Button small onClick={earlier}>{t('earlier')}</Button>
          </div>
        )}
        {!groups.length ? (
          <EmptyState icon="chat" title={t('noneTitle')}>{t('noneText')}</EmptyState>
        ) : (
          <ol class="conversation" aria-label={t('messages')} aria-busy={live}>
            {groups.map((g, i) => (
              <TurnView key={g.key} thread={x} turn={g.turn} messages={g.messages} last={i === groups.length - 1 && !branch} siblings={g.turn && siblings(g.turn)} />
            ))}
          </ol>
        )}
      </PageBody>
    </>
  )
}

interface Group {
  key: string
  turn: Turn | undefined
  messages: Message[]
}

// groupsOf puts the messages of a turn together, oldest first, and adds turns that have none yet.
export function groupsOf(newestFirst: Message[], turns: Turn[]): Group[] {
  const known = new Map(turns.map((x) => [x.id, x]))
  const groups: Group[] = []
  for (const m of newestFirst.toReversed()) {
    const before = groups.at(-1)
    if (m.turn_id && before?.key === m.turn_id) before.messages.push(m)
    else groups.push({ key: m.turn_id ?? m.id, turn: m.turn_id ? known.get(m.turn_id) : undefined, messages: [m] })
  }
  return groups
}

function Gone() {
  return (
    <EmptyState icon="chat" title={t('goneTitle')} action={<Button onClick={() => void navigate('/conversations')}>{t('all')}</Button>}>
      {t('goneText')}
    </EmptyState>
  )
}

function Facts({ thread: x }: { thread: Schemas['Thread'] }) {
  const bot = useQuery(x.bot_id ? `bot ${x.bot_id}` : null, (signal) => ok(api.GET('/v1/bots/{bot_id}', { params: { path: { bot_id: x.bot_id! } }, signal })))
  const user = useQuery(x.end_user_id && may('end_users.read') ? `end-user ${x.end_user_id}` : null, (signal) => ok(api.GET('/v1/end-users/{end_user_id}', { params: { path: { end_user_id: x.end_user_id! } }, signal })))
  const users = new Map(user.data ? [[user.data.id, user.data]] : [])
  const variables = Object.entries((x.variables ?? {}) as Record<string, unknown>)
  return (
    <dl class="facts-grid">
      <div>
        <dt>{t('bot')}</dt>
        <dd>{x.bot_id && bot.data ? <Link to={`/bots/${x.bot_id}`}><bdi>{bot.data.name}</bdi></Link> : x.bot_id && bot.loading ? '…' : t('botGone')}</dd>
      </div>
      <div>
        <dt>{x.channel ? t('channel') : t('who')}</dt>
        <dd>
          {x.end_user_id && user.data?.external_id ? (
            <Link to={`/conversations?user=${encodeURIComponent(user.data.external_id)}`}><bdi>{whoOf(x, users)}</bdi></Link>
          ) : (
            <bdi>{whoOf(x, users)}</bdi>
          )}
        </dd>
      </div>
      <div>
        <dt>{t('created')}</dt>
        <dd><At at={x.created_at} /></dd>
      </div>
      {variables.length > 0 && (
        <div>
          <dt>{t('variables')}</dt>
          <dd dir="auto">{variables.map(([name, value]) => `${name}: ${String(value)}`).join(', ')}</dd>
        </div>
      )}
    </dl>
  )
}

function ThreadActions({ thread: x, branch }: { thread: Schemas['Thread']; branch: string }) {
  const path = { thread_id: x.id }
  const [saving, setSaving] = useState(false)
  const save = async () => {
    setSaving(true)
    try {
      const content = await ok(api.GET('/v1/conversations/threads/{thread_id}/export', { params: { path, query: { ...(branch && { branch }) } }, parseAs: 'blob' }))
      saveAs(content as unknown as Blob, `conversation-${x.id}.ndjson`)
    } catch (thrown) {
      toast(messageOf(asFailure(thrown)), 'bad')
    } finally {
      setSaving(false)
    }
  }
  const change = useAction('thread.change', async (operation, status: Schemas['ThreadStatus']) => {
    await ok(api.PATCH('/v1/conversations/threads/{thread_id}', { params: { path }, body: { status }, ...as(operation) }))
    invalidate('thread')
    toast(status === 'archived' ? t('archivedNow') : t('restoredNow'))
  })
  const remove = useAction('thread.delete', async (operation) => {
    await ok(api.DELETE('/v1/conversations/threads/{thread_id}', { params: { path }, ...as(operation) }))
    await navigate('/conversations')
    invalidate('threads')
    toast(t('deleted'))
  })
  const failure = change.failure ?? remove.failure
  useFailureToast(failure)
  const items = []
  if (may('turns.take')) items.push(x.status === 'active' ? { label: t('archive'), onSelect: () => void change.run('archived') } : { label: t('restore'), onSelect: () => void change.run('active') })
  if (may('threads.delete')) {
    const ask = async () => {
      if (await confirm({ title: t('deleteTitle'), text: t('deleteText'), yes: t('delete'), danger: true })) await remove.run()
    }
    items.push({ label: t('delete'), icon: 'trash' as const, danger: true, onSelect: () => void ask() })
  }
  return (
    <>
      <Button busy={saving} onClick={() => void save()}>{t('export')}</Button>
      {items.length > 0 && <Menu label={t('more')} class="icon-button" align="end" button={<Icon name="dots" />} groups={[{ items }]} />}
    </>
  )
}
