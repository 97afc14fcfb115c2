import { useRef, useState } from 'preact/hooks'
import { may } from '../../api/permissions'
import { read, write } from '../../state/storage'
import { Button, EmptyState, ErrorState, Notice, Select, Skeleton } from '../../ui'
import type { BotDetail } from './bot'
import { Composer } from './composer'
import { roundsOf, type Turn } from './conversation'
import { useFileDrop } from './drop'
import { CitedDialog } from './document'
import { t } from './messages'
import type { ModeProps } from './playground'
import { ThreadScroll } from './thread'
import { Answer, Asked, type Cited } from './turn'
import { useConversation, type Conversation } from './use-conversation'
import { useValues, useVariables, valuesFor, VariablesForm } from './variables'

type Pair = readonly [number, number]

function pairOf(bot: BotDetail): Pair {
  const kept = (read(sessionStorage, `playground.${bot.id}.pair`) ?? '').split(' ').map(Number)
  if (kept.length === 2 && kept.every((v) => v >= 1 && v <= bot.current_version)) return [kept[0]!, kept[1]!]
  return bot.published_version !== bot.current_version ? [bot.published_version, bot.current_version] : [bot.current_version - 1, bot.current_version]
}

// Compare sends each message to two versions of a bot, in a trial thread each. Each pair of versions has a comparison of its own.
export function Compare({ bot, switcher }: ModeProps) {
  const [pair, setPair] = useState(() => pairOf(bot))
  const choose = (to: Pair) => {
    setPair(to)
    write(sessionStorage, `playground.${bot.id}.pair`, to.join(' '))
  }
  return <Comparison key={pair.join(' ')} bot={bot} switcher={switcher} pair={pair} onPair={choose} />
}

function Comparison({ bot, switcher, pair, onPair }: ModeProps & { pair: Pair; onPair: (to: Pair) => void }) {
  const slot = `playground.${bot.id}.compare`
  const chats = [useConversation(bot.id, pair[0], `${slot}.${pair.join('.')}.a`), useConversation(bot.id, pair[1], `${slot}.${pair.join('.')}.b`)] as const
  const declared = [useVariables(bot, pair[0]), useVariables(bot, pair[1])] as const
  const [values, setValues] = useValues(bot.id)
  const [cited, setCited] = useState<Cited | null>(null)
  const area = useRef<HTMLTextAreaElement>(null)
  const drop = useFileDrop(null)
  const rounds = roundsOf(chats[0].turns, chats[1].turns)
  const running = chats.some((c) => c.running)
  const failure = chats.find((c) => c.failure)?.failure
  const restart = () => {
    chats.forEach((c) => c.restart())
    area.current?.focus()
  }
  const send = (content: string) => chats.forEach((c, i) => void c.send({ content, attachments: [], variables: valuesFor(declared[i]!, values) }))
  const variables = [...new Map(declared.flat().map((v) => [v.name, v])).values()]
  return (
    <div class="playground" {...drop.on}>
      <div class="playground-bar wide">
        {switcher}
        {(rounds.length > 0 || failure) && <Button small kind="quiet" icon="plus" onClick={restart}>{t('newComparison')}</Button>}
      </div>
      <div class="compare-pair">
        {pair.map((version, i) => (
          <Select key={i} label={t(i ? 'secondVersion' : 'firstVersion')} value={String(version)} options={optionsOf(bot)} onChange={(v) => onPair(i ? [pair[0], Number(v)] : [Number(v), pair[1]])} />
        ))}
      </div>
      <VariablesForm declared={variables} values={values} onChange={setValues} />
      <ThreadScroll wide running={running} turns={chats.map((c) => c.turns)}>
        {chats.some((c) => c.loading) ? (
          <Skeleton lines={4} />
        ) : failure ? (
          <ErrorState failure={failure} onRetry={() => chats.forEach((c) => c.failure && void c.load())} />
        ) : rounds.length === 0 ? (
          <EmptyState icon="chat" title={t('compareTitle')}>{t('compareHint')}</EmptyState>
        ) : (
          rounds.map((round, i) => <Round key={i} bot={bot} pair={pair} round={round} chats={chats} onCite={setCited} />)
        )}
      </ThreadScroll>
      {bot.status === 'archived' && <div class="composer"><Notice>{t('archivedText')}</Notice></div>}
      {may('turns.take') && bot.status !== 'archived' && (
        <Composer slot={slot} name={bot.name} area={area} busy={chats.some((c) => c.busy)} running={running} hint={t('noAttachments')} onSend={send} onStop={() => chats.forEach((c) => c.running && void c.cancel())} />
      )}
      {cited && <CitedDialog bot={bot} cited={cited} onClose={() => setCited(null)} />}
    </div>
  )
}

// optionsOf names the versions, newest first.
const optionsOf = (bot: BotDetail) =>
  Array.from({ length: Math.min(bot.current_version, 100) }, (_, i) => bot.current_version - i).map((v) => {
    const says = v === bot.published_version ? ` · ${t('live')}` : v === bot.current_version ? ` · ${t('newest')}` : ''
    return { value: String(v), label: `v${v}${says}` }
  })

interface RoundProps {
  bot: BotDetail
  pair: Pair
  round: [Turn | undefined, Turn | undefined]
  chats: readonly [Conversation, Conversation]
  onCite: (citation: Cited) => void
}

// Round is a message with both answers.
function Round({ bot, pair, round, chats, onCite }: RoundProps) {
  const asked = round[0] ?? round[1]
  return (
    <article class="turn">
      {asked && <Asked input={asked.input} />}
      <div class="compare-answers">
        {round.map((turn, i) => (
          <div key={i} role="group" aria-label={`v${pair[i]}`}>
            <h3 aria-hidden="true">v{pair[i]}</h3>
            {turn ? <Answer turn={turn} last={turn === chats[i]!.turns.at(-1)} botName={`v${pair[i]}, ${bot.name}`} chat={chats[i]!} onCite={onCite} /> : <p class="hint">{t('notAsked')}</p>}
          </div>
        ))}
      </div>
    </article>
  )
}
