import { useEffect, useRef, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { useAction, useQuery } from '../../api/hooks'
import { listed } from '../../api/lists'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { guardLeaving, Link, query, setQuery } from '../../router'
import { Button, confirmLeaving, EmptyState, fieldError, FormError, Icon, IconButton, LinkButton, messageOf, Notice, PageBody, Reading, Select, toast, useShowProblem } from '../../ui'
import { t as ui } from '../../ui/messages'
import type { BotDetail } from './bot'
import { Effect, State } from '../tools/status'
import { t } from './messages'

type Used = Schemas['BotTool']
type Summary = Schemas['ToolSummary']
const maxTools = 32

const toolsOf = (bot: BotDetail) => (Array.isArray(bot.settings.tools) ? (bot.settings.tools as Used[]) : [])

// BotTools are the tools that the model of a bot may call. What is chosen becomes a version of the bot when it is saved.
export function BotTools({ bot, onSaved }: { bot: BotDetail; onSaved: (to: BotDetail) => void }) {
  const tools = useQuery('tools names', (signal) => listed((cursor) => ok(api.GET('/v1/tools', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal }))))
  const [base, setBase] = useState(bot)
  const [list, setList] = useState(() => toolsOf(bot))
  const [add, setAdd] = useState('')
  const [theirs, setTheirs] = useState<BotDetail | null>(null)
  const writes = may('bots.write') && bot.status !== 'archived'
  const dirty = JSON.stringify(list) !== JSON.stringify(toolsOf(base))
  useEffect(() => (dirty ? guardLeaving(confirmLeaving) : undefined), [dirty])
  const show = (to: BotDetail) => {
    setBase(to)
    setList(toolsOf(to))
    setTheirs(null)
  }
  useEffect(() => {
    if (!dirty && bot !== base) show(bot)
  }, [bot])
  const attach = (id: string) => setList((l) => (l.some((x) => x.id === id) ? l : [...l, { id }]))
  const fresh = query('add') // a tool that was made for this bot
  useEffect(() => {
    if (!fresh) return
    if (writes) attach(fresh)
    setQuery({ add: null })
  }, [fresh])

  const save = useAction('bot.tools', async (operation, to: BotDetail, used: Used[], publish: boolean) => {
    const params = { path: { bot_id: bot.id } }
    const content = { instruction: to.instruction || t('defaultInstruction'), settings: { ...to.settings, tools: used }, note: t('toolsNote'), publish }
    try {
      const saved = await ok(api.PUT('/v1/bots/{bot_id}/instruction', { params, body: content, ...as(operation, { 'If-Match': `"${to.current_version}"` }) }))
      show(saved)
      onSaved(saved)
      toast(t(publish ? 'savedLive' : 'savedDraft', { version: `v${saved.current_version}` }))
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== 'VERSION_CONFLICT') throw thrown
      setTheirs(await ok(api.GET('/v1/bots/{bot_id}', { params })))
    }
  })
  const body = useRef<HTMLDivElement>(null)
  useShowProblem(body, save.failure ?? theirs)
  const set = (id: string, part: Partial<Used>) => setList(list.map((x) => (x.id === id ? { ...x, ...part } : x)))
  const known = tools.data?.items ?? []
  const complete = tools.data?.complete ?? true
  const free = known.filter((tool) => !list.some((x) => x.id === tool.id))
  const make = may('tools.write') && writes && <LinkButton icon="plus" to={`/tools/new?bot=${bot.id}`}>{t('makeTool')}</LinkButton>

  return (
    <PageBody narrow>
      {!tools.data ? (
        <Reading of={tools} lines={4} tall />
      ) : (
        <div class="bot-tools" ref={body}>
          <FormError failure={save.failure} onRetry={() => void save.run(base, list, true)} />
          {theirs && (
            <div class="notice warn" role="alert">
              <div class="notice-body">
                <b>{t('conflictTitle', { version: `v${theirs.current_version}` })}</b>
                <p>{t('toolsConflict')}</p>
                <div class="conflict-buttons">
                  <Button small kind="primary" busy={save.pending} onClick={() => void save.run(theirs, list, theirs.current_version === theirs.published_version)}>{t('toolsMine')}</Button>
                  <Button small onClick={() => (onSaved(theirs), show(theirs))}>{t('takeTheirs')}</Button>
                </div>
              </div>
            </div>
          )}
          {!writes && <Notice icon="eye">{t(bot.status === 'archived' ? 'archivedText' : 'readOnly')}</Notice>}
          {list.length > 0 && (
            <>
              <div class="tools-lead">
                <p class="hint">{t('toolsText')}</p>
                <Link to="/tools">{t('allTools')}</Link>
              </div>
              <ul class="list" aria-label={t('tools')}>
                {list.map((used, i) => (
                  <li key={used.id}>
                    <AttachedTool
                      used={used} listed={known.find((tool) => tool.id === used.id)} complete={complete} error={fieldError(save.failure, `settings.tools.${i}`)} writes={writes}
                      onChange={(part) => set(used.id, part)} onDetach={() => setList(list.filter((x) => x.id !== used.id))}
                    />
                  </li>
                ))}
              </ul>
            </>
          )}
          {!list.length && (
            <EmptyState icon="tool" title={t('noTools')} action={make}>
              {t('noToolsText')}
            </EmptyState>
          )}
          {writes && free.length > 0 && list.length < maxTools && (
            <form class="attach" onSubmit={(e) => (e.preventDefault(), add && (attach(add), setAdd('')))}>
              <Select label={t('attachTool')} hint={!complete && t('toolsListed', { n: known.length })} value={add} onChange={setAdd} options={[{ value: '', label: t('chooseTool') }, ...free.map((tool) => ({ value: tool.id, label: tool.name }))]} />
              <Button type="submit" disabled={!add}>{t('attachButton')}</Button>
            </form>
          )}
          {list.length > 0 && <div>{make}</div>}
          {list.length >= maxTools && <p class="hint">{t('toolsFull')}</p>}
          {writes && (list.length > 0 || dirty) && (
            <div class={`save-bar${dirty ? ' dirty' : ''}`}>
              <span class="hint tools-status" role="status">{dirty ? t('toolsUnsaved', { version: `v${(theirs ?? base).current_version + 1}` }) : t('allSaved', { version: `v${base.current_version}` })}</span>
              {dirty && <Button kind="quiet" onClick={() => (setList(toolsOf(base)), save.clear())}>{t('discard')}</Button>}
              <Button disabled={!dirty} busy={save.pending} onClick={() => void save.run(base, list, false)}>{t('saveDraft')}</Button>
              <Button kind="primary" disabled={!dirty} busy={save.pending} onClick={() => void save.run(base, list, true)}>{t('saveLive')}</Button>
            </div>
          )}
        </div>
      )}
    </PageBody>
  )
}

interface AttachedProps {
  used: Used
  listed: Summary | undefined
  complete: boolean // all tools are listed
  error: string | undefined
  writes: boolean
  onChange: (part: Partial<Used>) => void
  onDetach: () => void
}

function AttachedTool({ used, listed, complete, error, writes, onChange, onDetach }: AttachedProps) {
  // A tool beyond those that are listed is read by itself.
  const read = useQuery(listed || complete ? null : `tools/${used.id}`, (signal) => ok(api.GET('/v1/tools/{tool_id}', { params: { path: { tool_id: used.id } }, signal })))
  const tool = listed ?? (read.data && { ...read.data, review_status: read.data.review?.status ?? null })
  const gone = !tool && (complete || read.failure?.status === 404)
  const newest = tool?.current_version ?? 1
  const versions = Array.from({ length: Math.min(newest, 100) }, (_, i) => newest - i)
  if (used.version && !versions.includes(used.version)) versions.push(used.version)
  const name = tool?.name ?? (gone ? t('goneTool') : used.id)
  return (
    <div class="item attached-tool">
      <div class="attached-head">
        <Icon name="tool" />
        {tool ? <Link to={`/tools/${tool.id}`}><code>{tool.name}</code></Link> : <b>{name}</b>}
        {tool && <Effect effect={tool.effect} />}
        {tool?.review_status && <State review={tool.review_status} />}
        {writes && <IconButton small icon="trash" label={t('detachTool', { name })} onClick={onDetach} />}
      </div>
      <p class="hint" dir="auto">{tool ? tool.description : gone ? t('goneToolText') : read.failure ? messageOf(read.failure) : ui('loading')}</p>
      {tool && (
        <div class="fields">
          <Select
            label={t('toolVersion')} disabled={!writes} value={used.version ? String(used.version) : ''} hint={used.version && used.version < newest ? t('toolOlder', { version: `v${newest}` }) : undefined}
            options={[{ value: '', label: t('toolNewest', { version: `v${newest}` }) }, ...versions.map((v) => ({ value: String(v), label: t('toolPinned', { version: `v${v}` }) }))]}
            onChange={(to) => onChange({ version: to ? Number(to) : null })}
          />
          <Select label={t('approval')} disabled={!writes} value={used.approval ?? 'writes'} options={(['writes', 'always', 'never'] as const).map((a) => ({ value: a, label: t(`approval_${a}`) }))} onChange={(to) => onChange({ approval: to as NonNullable<Used['approval']> })} />
        </div>
      )}
      {error && <p class="failed">{error}</p>}
    </div>
  )
}
