import { useEffect, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { usePages, useQuery } from '../../api/hooks'
import { useBots } from '../../api/lists'
import { may } from '../../api/permissions'
import { ago } from '../../i18n'
import { navigate, query, setQuery } from '../../router'
import { Badge, Button, EmptyState, Icon, PageBody, PageHeader, RowLink, SearchField, Table, type Column } from '../../ui'
import { t } from './messages'
import { titleOf, useChannels, useEndUsers, whoOf } from './names'

type Thread = Schemas['Thread']

export function ThreadsList() {
  const [bot, channel, rating, status, trial, user] = [query('bot') ?? '', query('channel') ?? '', query('rating') ?? '', query('status') ?? '', query('trial') === '1', query('user') ?? '']
  const bots = useBots()
  const channels = useChannels()
  const users = useEndUsers()
  const found = useQuery(user ? `end-users of ${user}` : null, async (signal) => (await ok(api.GET('/v1/end-users', { params: { query: { limit: 1, external_id: user } }, signal }))).items[0]?.id ?? '')
  const filters = { ...(bot && { bot_id: bot }), ...(channel && { endpoint_id: channel }), ...(rating && { rating: rating as Schemas['Rating'] }), ...(status && { status: status as Thread['status'] }), ...(trial && { trial }), ...(user && { end_user_id: found.data ?? '' }) }
  const unknown = !!user && found.data === ''
  const key = unknown || (user && !found.data) ? null : `threads?${JSON.stringify(filters)}`
  const pages = usePages(key, (cursor, signal) => ok(api.GET('/v1/conversations/threads', { params: { query: { limit: 100, ...filters, ...(cursor && { cursor }) } }, signal })))
  const names = new Map((bots.data ?? []).map((b) => [b.id, b.name]))
  const columns: Column<Thread>[] = [
    {
      key: 'title', title: t('conversation'), width: 'minmax(0, 1.4fr)',
      cell: (x) => (
        <RowLink to={`/conversations/${x.id}`} icon="chat" name={titleOf(x)}>
          {x.trial && <Badge>{t('trial')}</Badge>}
          {x.status === 'archived' && <Badge>{t('archived')}</Badge>}
        </RowLink>
      ),
    },
    { key: 'bot', title: t('bot'), width: 'minmax(0, 0.8fr)', wide: true, cell: (x) => <span dir="auto">{x.bot_id ? (names.get(x.bot_id) ?? (bots.data ? t('botGone') : '')) : t('botGone')}</span> },
    {
      key: 'who', title: t('who'), width: 'minmax(0, 0.8fr)', wide: true,
      cell: (x) => (
        <span class="who">
          {x.channel && <Icon name="plug" size={14} />}
          <bdi>{whoOf(x, users)}</bdi>
        </span>
      ),
    },
    { key: 'last', title: t('last'), width: '118px', end: true, cell: (x) => (x.last_message_at ? <time dateTime={x.last_message_at}>{ago(x.last_message_at)}</time> : t('noMessages')) },
  ]
  const filtered = bot || channel || rating || status || trial || user
  const clear = () => setQuery({ bot: null, channel: null, rating: null, status: null, trial: null, user: null })
  const nothing = <EmptyState icon="search" title={unknown ? t('userUnknown') : t('nothing')} action={<Button onClick={clear}>{t('clear')}</Button>} />
  const empty = filtered ? nothing : <EmptyState icon="chat" title={t('emptyTitle')} action={<Button kind="primary" icon="bot" onClick={() => void navigate('/bots')}>{t('toBots')}</Button>}>{t('emptyText')}</EmptyState>
  return (
    <>
      <PageHeader title={t('title')} />
      <PageBody>
        {(filtered || pages.data?.length !== 0) && (
          <div class="toolbar thread-filters" role="group" aria-label={t('filters')}>
            {may('end_users.read') && <UserFilter value={user} />}
            <Filter label={t('bot')} value={bot} onChange={(to) => setQuery({ bot: to })} options={[['', t('allBots')], ...(bots.data ?? []).map((b): [string, string] => [b.id, b.name])]} />
            {(channels.data?.length || channel) && <Filter label={t('channel')} value={channel} onChange={(to) => setQuery({ channel: to })} options={[['', t('allChannels')], ...(channels.data ?? []).map((e): [string, string] => [e.id, e.name])]} />}
            <Filter label={t('feedback')} value={rating} onChange={(to) => setQuery({ rating: to })} options={[['', t('anyFeedback')], ['good', t('ratedGoodOnly')], ['bad', t('ratedBadOnly')]]} />
            <Filter label={t('status')} value={status} onChange={(to) => setQuery({ status: to })} options={[['', t('allStatuses')], ['active', t('active')], ['archived', t('archived')]]} />
            <Filter label={t('kind')} value={trial ? '1' : ''} onChange={(to) => setQuery({ trial: to })} options={[['', t('customers')], ['1', t('trials')]]} />
            {filtered && <Button kind="quiet" icon="x" onClick={clear}>{t('clear')}</Button>}
          </div>
        )}
        {unknown ? nothing : <Table label={t('title')} columns={columns} pages={user && found.failure ? { ...pages, failure: found.failure, reload: found.reload } : pages} rowKey={(x) => x.id} empty={empty} />}
      </PageBody>
    </>
  )
}

function Filter({ label, value, onChange, options }: { label: string; value: string; onChange: (to: string) => void; options: [string, string][] }) {
  return (
    <div class={`select filter${value ? ' set' : ''}`}>
      <select class="input" aria-label={label} value={value} onChange={(e) => onChange(e.currentTarget.value)}>
        {options.map(([id, name]) => (
          <option key={id} value={id} selected={id === value}>
            {name}
          </option>
        ))}
      </select>
      <Icon name="chevron" />
    </div>
  )
}

function UserFilter({ value }: { value: string }) {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  useEffect(() => {
    const timer = setTimeout(() => text.trim() !== value && setQuery({ user: text.trim() }), 350)
    return () => clearTimeout(timer)
  }, [text])
  return <SearchField label={t('user')} value={text} onInput={setText} />
}
