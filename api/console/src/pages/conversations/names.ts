import { api, ok, type Schemas } from '../../api/client'
import { useQuery } from '../../api/hooks'
import { may } from '../../api/permissions'
import { dateTime } from '../../i18n'
import { t } from './messages'

type Thread = Schemas['Thread']

// useChannels reads the newest endpoints that messages come in at.
export function useChannels() {
  return useQuery(may('webhooks.read') ? 'endpoints newest' : null, async (signal) => (await ok(api.GET('/v1/webhook-endpoints', { params: { query: { limit: 100 } }, signal }))).items)
}

// useEndUsers reads the newest end users, by id.
export function useEndUsers() {
  const list = useQuery(may('end_users.read') ? 'end-users newest' : null, async (signal) => (await ok(api.GET('/v1/end-users', { params: { query: { limit: 100 } }, signal }))).items)
  return new Map((list.data ?? []).map((u) => [u.id, u]))
}

export const titleOf = (thread: Thread) => thread.title || t('untitled', { date: dateTime(thread.created_at) })

export function whoOf(thread: Thread, users: Map<string, Schemas['EndUser']>): string {
  if (thread.end_user_id) {
    const user = users.get(thread.end_user_id)
    return user?.name || user?.external_id || t('endUser', { id: thread.end_user_id.slice(0, 8) })
  }
  return thread.channel?.conversation_id ?? t('team')
}
