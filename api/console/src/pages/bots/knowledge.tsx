import { useEffect, useRef, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { asFailure, isAbort, type Failure } from '../../api/errors'
import { invalidate, useAction, useQuery } from '../../api/hooks'
import { as, operationFor, settle } from '../../api/operation'
import { may } from '../../api/permissions'
import { uploadFile } from '../../api/upload'
import { bytes } from '../../i18n'
import { Badge, Button, EmptyState, FormError, Icon, LinkButton, messageOf, Notice, PageBody, Reading, Section, Select, toast } from '../../ui'
import type { BotDetail } from './bot'
import { DocumentDialog } from './document'
import { t as ui } from '../../ui/messages'
import { t } from './messages'

type Base = Schemas['KnowledgeBase']
type Document = Schemas['Document']
interface Upload {
  id: number
  file: File
  part: number
  failure: Failure | null
}

const accepted = '.pdf,.docx,.html,.htm,.md,.markdown,.txt,.csv,.json'
const attached = (bot: BotDetail) => (Array.isArray(bot.settings.knowledge) ? (bot.settings.knowledge as { id: string }[]) : [])

export function BotKnowledge({ bot, onSaved }: { bot: BotDetail; onSaved: (to: BotDetail) => void }) {
  const ids = attached(bot).map((k) => k.id)
  const bases = useQuery('knowledge-bases?first', (signal) => ok(api.GET('/v1/knowledge-bases', { params: { query: { limit: 100 } }, signal })))
  const writes = may('bots.write') && may('knowledge.write')
  const save = useAction('bot.knowledge', async (operation, knowledge: { id: string }[]) => save_(operation, knowledge))
  const save_ = async (operation: string, knowledge: { id: string }[]) => {
    const body = { instruction: bot.instruction || t('defaultInstruction'), settings: { ...bot.settings, knowledge }, note: t('knowledgeNote'), publish: bot.current_version === bot.published_version }
    const saved = await ok(api.PUT('/v1/bots/{bot_id}/instruction', { params: { path: { bot_id: bot.id } }, body, ...as(operation, { 'If-Match': `"${bot.current_version}"` }) }))
    onSaved(saved)
    return saved
  }
  // target returns the base that documents go to: the first one of the bot, or a new one.
  const making = useRef<Promise<string> | null>(null)
  const target = () => {
    if (ids[0]) return Promise.resolve(ids[0])
    making.current ??= (async () => {
      const name = `bot.base.${bot.id}`
      const base = await ok(api.POST('/v1/knowledge-bases', { body: { name: bot.name }, ...as(operationFor(name, bot.name)) }))
      await save_(operationFor(`${name}.attach`, base.id), [{ id: base.id }])
      settle(name)
      settle(`${name}.attach`)
      invalidate('knowledge-bases')
      return base.id
    })().finally(() => (making.current = null))
    return making.current
  }
  const known = bases.data?.items ?? []
  const free = known.filter((b) => !ids.includes(b.id))
  const [add, setAdd] = useState('')
  return (
    <PageBody narrow>
      <FormError failure={save.failure} />
      {writes && <DropZone target={target} />}
      {!bases.data ? (
        <Reading of={bases} lines={4} tall />
      ) : (
        <>
          {ids.map((id) => (
            <BaseSection key={id} id={id} botId={bot.id} base={known.find((b) => b.id === id)} onDetach={writes ? () => void save.run(attached(bot).filter((k) => k.id !== id)) : undefined} />
          ))}
          {!ids.length && (
            <EmptyState icon="book" title={t('noKnowledge')}>
              {t('noKnowledgeText')}
            </EmptyState>
          )}
          {writes && free.length > 0 && ids.length < 8 && (
            <form class="attach" onSubmit={(e) => (e.preventDefault(), add && void save.run([...attached(bot), { id: add }]).then(() => setAdd('')))}>
              <Select label={t('attach')} value={add} onChange={setAdd} options={[{ value: '', label: t('chooseBase') }, ...free.map((b) => ({ value: b.id, label: b.name }))]} />
              <Button type="submit" disabled={!add} busy={save.pending}>{t('attachButton')}</Button>
            </form>
          )}
        </>
      )}
    </PageBody>
  )
}

let uploads = 0

function DropZone({ target }: { target: () => Promise<string> }) {
  const [over, setOver] = useState(false)
  const [list, setList] = useState<Upload[]>([])
  const input = useRef<HTMLInputElement>(null)
  const set = (id: number, part: Partial<Upload>) => setList((all) => all.map((u) => (u.id === id ? { ...u, ...part } : u)))

  const send = async (upload: Upload) => {
    set(upload.id, { failure: null, part: 0 })
    const print = [upload.file.name, upload.file.size, upload.file.lastModified]
    const name = `file.${print.join('.')}`
    try {
      const file = await uploadFile(upload.file, operationFor(name, print), (part) => set(upload.id, { part }))
      const base = await target()
      await ok(api.POST('/v1/knowledge-bases/{knowledge_base_id}/documents', { params: { path: { knowledge_base_id: base } }, body: { file_id: file.id }, ...as(operationFor(`${name}.document`, [base, file.id])) }))
      settle(name)
      settle(`${name}.document`)
      setList((all) => all.filter((u) => u.id !== upload.id))
      toast(t('uploaded', { name: upload.file.name }))
      invalidate('documents')
      invalidate('home')
    } catch (thrown) {
      if (isAbort(thrown)) return
      const failure = asFailure(thrown)
      if (!failure.passing) settle(name)
      set(upload.id, { failure })
    }
  }
  const take = (files: FileList | null) => {
    const fresh = [...(files ?? [])].map((file): Upload => ({ id: ++uploads, file, part: 0, failure: null }))
    setList((all) => [...all, ...fresh])
    void (async () => {
      for (const upload of fresh) await send(upload)
    })()
  }
  return (
    <>
      <div
        class={`drop${over ? ' over' : ''}`}
        onDragOver={(e) => (e.preventDefault(), setOver(true))}
        onDragLeave={() => setOver(false)}
        onDrop={(e) => {
          e.preventDefault()
          setOver(false)
          take(e.dataTransfer?.files ?? null)
        }}
      >
        <Icon name="upload" size={20} />
        <div>
          <p><b>{t('dropTitle')}</b></p>
          <p class="hint">{ui('documentTypes')}</p>
        </div>
        <Button onClick={() => input.current?.click()}>{t('chooseFiles')}</Button>
        <input ref={input} type="file" class="visually-hidden" tabIndex={-1} aria-label={t('chooseFiles')} multiple accept={accepted} onChange={(e) => (take(e.currentTarget.files), (e.currentTarget.value = ''))} />
      </div>
      {list.length > 0 && (
        <ul class="list uploads" aria-live="polite">
          {list.map((u) => (
            <li key={u.id}>
              <div class="item">
                <Icon name="file" />
                <b dir="auto">{u.file.name}</b>
                {u.failure ? (
                  <>
                    <span class="failed">{messageOf(u.failure)}</span>
                    <Button small icon="retry" onClick={() => void send(u)}>{t('retry')}</Button>
                    <Button small kind="quiet" onClick={() => setList((all) => all.filter((x) => x.id !== u.id))}>{t('dismiss')}</Button>
                  </>
                ) : (
                  <progress max={1} value={u.part} aria-label={u.file.name} />
                )}
              </div>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

function BaseSection({ id, botId, base, onDetach }: { id: string; botId: string; base: Base | undefined; onDetach: (() => void) | undefined }) {
  const documents = useQuery(`documents/${id}`, (signal) => ok(api.GET('/v1/knowledge-bases/{knowledge_base_id}/documents', { params: { path: { knowledge_base_id: id }, query: { limit: 100 } }, signal })))
  const [open, setOpen] = useState<Document | null>(null)
  const items = documents.data?.items ?? []
  const working = items.some((d) => !['ready', 'failed'].includes(d.status))
  const fresh = !working && items.some((d) => d.status === 'ready' && Date.now() - new Date(d.created_at).getTime() < 10 * 60_000)
  useEffect(() => {
    if (!working) return
    const timer = setInterval(documents.reload, 1500)
    return () => {
      clearInterval(timer)
      invalidate('home')
    }
  }, [working])
  return (
    <Section title={base?.name ?? t('base')} hint={t('documentCount', { n: items.length })} actions={onDetach && <Button small kind="quiet" onClick={onDetach}>{t('detach')}</Button>}>
      {!documents.data ? (
        <Reading of={documents} />
      ) : items.length === 0 ? (
        <Notice>{t('noDocuments')}</Notice>
      ) : (
        <ul class="list">
          {items.map((d) => (
            <li key={d.id}>
              <div class="item document">
                <Icon name="file" />
                {d.status === 'ready' ? (
                  <button type="button" class="link" dir="auto" onClick={() => setOpen(d)}>{d.title}</button>
                ) : (
                  <b dir="auto">{d.title}</b>
                )}
                <DocumentBadge document={d} />
                <small>{bytes(d.size)}</small>
                {d.error && <p class="failed">{d.error.message}</p>}
              </div>
            </li>
          ))}
        </ul>
      )}
      {fresh && (
        <div class="next-step">
          <Notice tone="good" icon="check" action={<LinkButton small kind="primary" to={`/bots/${botId}`}>{t('askIt')}</LinkButton>}>
            <p role="status">{t('canAnswer')}</p>
          </Notice>
        </div>
      )}
      {open && <DocumentDialog bases={[id]} documentId={open.id} title={open.title} onClose={() => setOpen(null)} />}
    </Section>
  )
}

function DocumentBadge({ document: d }: { document: Document }) {
  if (d.status === 'ready') return <Badge tone="good" dot>{t('ready')}</Badge>
  if (d.status === 'failed') return <Badge tone="bad" dot>{t('failed')}</Badge>
  return (
    <Badge tone="accent">
      <span class="spinner" aria-hidden="true" /> {t(`doc_${d.status}`)}
      {d.chunks_total ? ` ${d.chunks_done}/${d.chunks_total}` : ''}
    </Badge>
  )
}
