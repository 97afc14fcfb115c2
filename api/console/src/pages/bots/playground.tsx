import type { ComponentChildren } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { may } from '../../api/permissions'
import { read, write } from '../../state/storage'
import { Button, EmptyState, ErrorState, Notice, Skeleton } from '../../ui'
import { useAttachments } from './attachments'
import type { BotDetail } from './bot'
import { Compare } from './compare'
import { Composer } from './composer'
import { useFileDrop } from './drop'
import { CitedDialog } from './document'
import { FirstSteps } from './first-steps'
import { t } from './messages'
import { ThreadScroll } from './thread'
import { TurnView, type Cited } from './turn'
import { useConversation } from './use-conversation'
import { useValues, useVariables, valuesFor, VariablesForm } from './variables'

type Mode = 'live' | 'try' | 'compare'

// Playground talks to a bot: to the version that answers, by trials to the newest one that is not published, or to two versions at once.
export function Playground({ bot }: { bot: BotDetail }) {
  const slot = `playground.${bot.id}`
  const [kept, setKept] = useState(() => read(sessionStorage, `${slot}.mode`))
  const tries = may('bots.write')
  const modes: Mode[] = ['live', ...(tries && bot.current_version !== bot.published_version ? (['try'] as const) : []), ...(tries && bot.current_version > 1 ? (['compare'] as const) : [])]
  const mode = modes.find((m) => m === kept) ?? 'live'
  const names: Record<Mode, string> = { live: t('liveVersion', { version: `v${bot.published_version}` }), try: t('tryVersion', { version: `v${bot.current_version}` }), compare: t('compare') }
  const switcher = modes.length > 1 && (
    <div class="segmented" role="group" aria-label={t('whichVersion')}>
      {modes.map((m) => (
        <button key={m} type="button" aria-pressed={m === mode} onClick={() => (setKept(m), write(sessionStorage, `${slot}.mode`, m))}>{names[m]}</button>
      ))}
    </div>
  )
  if (mode === 'compare') return <Compare key={`${bot.id} ${bot.published_version} ${bot.current_version}`} bot={bot} switcher={switcher} />
  const version = mode === 'try' ? bot.current_version : null
  return <Single key={`${bot.id} ${version ?? ''}`} bot={bot} version={version} switcher={switcher} />
}

export interface ModeProps {
  bot: BotDetail
  switcher: ComponentChildren
}

// Single is a conversation with one version.
function Single({ bot, version, switcher }: ModeProps & { version: number | null }) {
  const slot = `playground.${bot.id}.${version ?? ''}`
  const chat = useConversation(bot.id, version, slot)
  const declared = useVariables(bot, version ?? bot.published_version)
  const [values, setValues] = useValues(bot.id)
  const attachments = useAttachments(slot)
  const [cited, setCited] = useState<Cited | null>(null)
  const area = useRef<HTMLTextAreaElement>(null)
  const allowed = may('turns.take') && bot.status !== 'archived'
  const attaches = allowed && version === null && may('files.write')
  const drop = useFileDrop(attaches ? attachments.add : null)
  const restart = () => {
    chat.restart()
    area.current?.focus()
  }
  return (
    <div class="playground" {...drop.on}>
      <div class="playground-bar">
        {switcher}
        {(chat.turns.length > 0 || chat.failure) && <Button small kind="quiet" icon="plus" onClick={restart}>{t('newThread')}</Button>}
      </div>
      {allowed && <VariablesForm declared={declared} values={values} onChange={setValues} />}
      <ThreadScroll running={chat.running} turns={[chat.turns]}>
        {chat.loading ? (
          <Skeleton lines={4} />
        ) : chat.failure ? (
          <ErrorState failure={chat.failure} onRetry={() => void chat.load()} />
        ) : chat.turns.length === 0 ? (
          <EmptyState icon="chat" title={t('talkTo', { name: bot.name })} action={<FirstSteps bot={bot} onAsk={allowed ? (content) => void chat.send({ content, attachments: [], variables: valuesFor(declared, values) }) : undefined} />}>
            {t('talkHint')}
          </EmptyState>
        ) : (
          chat.turns.map((turn, i) => <TurnView key={turn.key} turn={turn} last={i === chat.turns.length - 1} botName={bot.name} chat={chat} onCite={setCited} />)
        )}
      </ThreadScroll>
      {bot.status === 'archived' && <div class="composer"><Notice>{t('archivedText')}</Notice></div>}
      {allowed && (
        <Composer
          slot={slot} name={bot.name} area={area} busy={chat.busy} running={chat.running}
          attachments={attaches ? attachments : undefined} hint={version === null ? undefined : t('noAttachments')}
          onSend={(content, attached) => void chat.send({ content, attachments: attached, variables: valuesFor(declared, values) })} onStop={() => void chat.cancel()}
        />
      )}
      {drop.over && <div class="drop-over" aria-hidden="true">{t('dropToAttach')}</div>}
      {cited && <CitedDialog bot={bot} cited={cited} onClose={() => setCited(null)} />}
    </div>
  )
}
