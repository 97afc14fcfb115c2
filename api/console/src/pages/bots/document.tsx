import { useEffect, useRef } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { asFailure } from '../../api/errors'
import { useQuery } from '../../api/hooks'
import { Dialog, Reading } from '../../ui'
import type { BotDetail } from './bot'
import { t } from './messages'

interface DocumentDialogProps {
  bases: string[] // knowledge bases that may have it
  documentId: string
  title: string
  start?: number // of the words that are cited, in code points
  end?: number
  onClose: () => void
}

// CitedDialog shows a place that a bot has cited.
export function CitedDialog({ bot, cited, onClose }: { bot: BotDetail; cited: Schemas['Citation']; onClose: () => void }) {
  const bases = Array.isArray(bot.settings.knowledge) ? (bot.settings.knowledge as { id: string }[]) : []
  return <DocumentDialog bases={bases.map((k) => k.id)} documentId={cited.document_id} title={cited.title} start={cited.start} end={cited.end} onClose={onClose} />
}

const around = 20_000 // code points that are shown before and after the words

// DocumentDialog shows the text of a document at the edge of the page, at the words that are cited.
export function DocumentDialog({ bases, documentId, title, start, end, onClose }: DocumentDialogProps) {
  const text = useQuery(`document-text/${documentId}`, async (signal) => {
    let failure: unknown = new Error(t('documentGone'))
    for (const base of bases) {
      try {
        return await ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}/text', { params: { path: { knowledge_base_id: base, document_id: documentId } }, signal }))
      } catch (thrown) {
        failure = thrown
        if (asFailure(thrown).status !== 404) break
      }
    }
    throw failure
  })
  const mark = useRef<HTMLElement>(null)
  useEffect(() => {
    mark.current?.scrollIntoView({ block: 'center' })
  }, [text.data])
  return (
    <Dialog side title={<span dir="auto">{title}</span>} onClose={onClose}>
      {text.data ? <Text text={text.data.text} start={start} end={end} mark={mark} /> : <Reading of={text} lines={12} />}
    </Dialog>
  )
}

function Text({ text, start, end, mark }: { text: string; start: number | undefined; end: number | undefined; mark: { current: HTMLElement | null } }) {
  const points = Array.from(text) // offsets count code points
  const [from, to] = start === undefined || end === undefined ? [0, 0] : [start, Math.max(start, end)]
  const [first, last] = [Math.max(0, from - around), Math.min(points.length, to + around)]
  return (
    <div class="document-text" dir="auto" tabIndex={0} role="document">
      {first > 0 && <p class="hint">…</p>}
      {points.slice(first, from).join('')}
      {to > from && <mark ref={mark}>{points.slice(from, to).join('')}</mark>}
      {points.slice(to, last).join('')}
      {last < points.length && <p class="hint">…</p>}
    </div>
  )
}
