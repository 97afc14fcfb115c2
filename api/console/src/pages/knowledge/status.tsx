import type { Schemas } from '../../api/client'
import { number } from '../../i18n'
import { Badge } from '../../ui'
import { t } from './messages'

export type Document = Schemas['Document']
export type BaseOf = Schemas['KnowledgeBase']

export const working = (status: Document['status']) => status !== 'ready' && status !== 'failed'
export const workingOf = (counts: Schemas['DocumentCounts']) => counts.queued + counts.extracting + counts.chunking + counts.embedding

// DocumentState says how far a document is.
export function DocumentState({ document: d }: { document: Document }) {
  if (d.status === 'ready') return <Badge tone="good" dot>{t('ready')}</Badge>
  if (d.status === 'failed') return <Badge tone="bad" dot>{t('failed')}</Badge>
  return (
    <span class="doc-state">
      <Badge tone={d.status === 'deleting' ? 'plain' : 'accent'}>
        <span class="spinner" aria-hidden="true" />
        {t(d.status)}
      </Badge>
      {d.chunks_total ? <small>{t('progress', { done: number(d.chunks_done), all: number(d.chunks_total) })}</small> : null}
    </span>
  )
}

// BaseState sums up the documents of a base.
export function BaseState({ counts }: { counts: Schemas['DocumentCounts'] }) {
  const busy = workingOf(counts)
  if (busy) return <Badge tone="accent"><span class="spinner" aria-hidden="true" />{t('nWorking', { n: busy })}</Badge>
  if (counts.failed) return <Badge tone="bad" dot>{t('nFailed', { n: counts.failed })}</Badge>
  if (!counts.total) return <Badge>{t('noDocuments')}</Badge>
  return <Badge tone="good" dot>{t('allReady')}</Badge>
}

// kindOf names the type of a file for people.
export function kindOf(type: string): string {
  const known: Record<string, string> = {
    'application/pdf': 'PDF', 'application/json': 'JSON', 'application/x-ndjson': 'JSON lines', 'application/epub+zip': 'EPUB', 'text/html': 'HTML', 'text/markdown': 'Markdown', 'text/csv': 'CSV', 'text/plain': 'TXT',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'DOCX', 'application/vnd.openxmlformats-officedocument.presentationml.presentation': 'PPTX', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'XLSX',
  }
  const bare = type.split(';')[0]!.trim()
  return known[bare] ?? bare
}
