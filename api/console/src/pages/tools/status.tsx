import type { Schemas } from '../../api/client'
import { Badge } from '../../ui'
import { t } from './messages'

export const Kind = ({ kind }: { kind: Schemas['ToolKind'] }) => <Badge>{t(`kindShort_${kind}`)}</Badge>

export const Effect = ({ effect }: { effect: Schemas['ToolEffect'] }) => <Badge tone={effect === 'write' ? 'warn' : 'plain'}>{t(`effect_${effect}`)}</Badge>

// State says whether a tool can be called.
export function State({ review }: { review: Schemas['ToolReviewStatus'] | null }) {
  if (review === 'waiting') return <Badge tone="warn" dot>{t('needsReview')}</Badge>
  if (review === 'rejected') return <Badge tone="bad" dot>{t('rejected')}</Badge>
  return <Badge tone="good" dot>{t('ready')}</Badge>
}
