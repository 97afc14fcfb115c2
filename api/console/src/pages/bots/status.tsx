import type { Schemas } from '../../api/client'
import { Badge } from '../../ui'
import { t } from './messages'

// BotStatus says whether a bot is archived, and whether its newest version answers.
export function BotStatus({ bot }: { bot: Pick<Schemas['BotSummary'], 'status' | 'current_version' | 'published_version'> }) {
  if (bot.status === 'archived') return <Badge>{t('archived')}</Badge>
  if (bot.current_version !== bot.published_version) return <Badge tone="warn" dot>{t('notPublished', { version: `v${bot.current_version}` })}</Badge>
  return <Badge tone="good" dot>{t('answersWith', { version: `v${bot.published_version}` })}</Badge>
}
