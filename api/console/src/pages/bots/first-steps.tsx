import { api, ok } from '../../api/client'
import { useQuery } from '../../api/hooks'
import { may } from '../../api/permissions'
import { Button, LinkButton } from '../../ui'
import type { BotDetail } from './bot'
import { t } from './messages'

// beginning returns the first words of a text that has no headings: what a person may ask about.
function beginning(text: string): string {
  const line = text.split('\n').map((l) => l.replace(/^[#>*\s-]+/, '').trim()).find((l) => l.split(/\s+/).length > 2) ?? text.trim()
  const sentence = /^.*?[.!?](?=\s|$)/.exec(line)?.[0] ?? line
  return sentence.split(/\s+/).slice(0, 6).join(' ').replace(/[.,;:!?]+$/, '').slice(0, 120)
}

// FirstSteps says in an empty conversation what to do next: to give the bot a document, or to ask something that its document answers.
export function FirstSteps({ bot, onAsk }: { bot: BotDetail; onAsk: ((question: string) => void) | undefined }) {
  const bases = (Array.isArray(bot.settings.knowledge) ? (bot.settings.knowledge as { id: string }[]) : []).map((k) => k.id)
  const base = bases[0]
  const suggestion = useQuery(base && onAsk && may('knowledge.read') ? `suggestion/${base}` : null, async (signal) => {
    const path = { knowledge_base_id: base! }
    const document = (await ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}/documents', { params: { path, query: { limit: 20 } }, signal }))).items.find((d) => d.status === 'ready')
    if (!document) return null
    const chunk = (await ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}/chunks', { params: { path: { ...path, document_id: document.id }, query: { limit: 1 } }, signal }))).items[0]
    return chunk ? t('suggestedQuestion', { title: document.title.replace(/\.\w{2,5}$/, ''), words: beginning(chunk.text) }) : null
  })
  if (!base && may('bots.write') && may('knowledge.write')) {
    return (
      <LinkButton kind="primary" icon="upload" to={`/bots/${bot.id}/knowledge`}>
        {t('giveDocument')}
      </LinkButton>
    )
  }
  const question = suggestion.data
  return question && onAsk ? (
    <Button class="suggestion" icon="spark" onClick={() => onAsk(question)}>
      <span dir="auto">{question}</span>
    </Button>
  ) : null
}
