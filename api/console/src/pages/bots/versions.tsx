import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction, usePages, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { ago, dateTime } from '../../i18n'
import { Badge, Button, confirm, Diff, ErrorState, FormError, PageBody, Section, Select, Skeleton, toast, unified } from '../../ui'
import { t as ui } from '../../ui/messages'
import type { BotDetail } from './bot'
import { t } from './messages'
import { SettingsChanges, SettingsList } from './version-settings'

type Version = Schemas['BotVersion']

export function Versions({ bot, onChange }: { bot: BotDetail; onChange: (to: BotDetail) => void }) {
  const path = { bot_id: bot.id }
  const pages = usePages(`bots/${bot.id}/versions`, (cursor, signal) => ok(api.GET('/v1/bots/{bot_id}/versions', { params: { path, query: { limit: 50, ...(cursor && { cursor }) } }, signal })))
  const [chosen, choose] = useState<number | null>(null)
  const number = chosen ?? bot.current_version
  const version = pages.data?.find((v) => v.version === number)
  const changed = (to: BotDetail) => {
    onChange(to)
    invalidate(`bots/${bot.id}/`)
    choose(null)
  }
  if (!pages.data) return <PageBody>{pages.failure ? <ErrorState failure={pages.failure} onRetry={pages.reload} /> : <Skeleton lines={5} tall />}</PageBody>
  return (
    <PageBody>
      <div class="versions">
        <nav aria-label={t('versions')}>
          <ol class="version-list">
            {pages.data.map((v) => (
              <li key={v.version}>
                <button type="button" aria-current={v.version === number ? 'true' : undefined} onClick={() => choose(v.version)}>
                  <span class="line">
                    <b>v{v.version}</b>
                    {v.version === bot.published_version && <Badge tone="good" dot>{t('live')}</Badge>}
                    {v.version === bot.current_version && v.version !== bot.published_version && <Badge tone="warn">{t('newest')}</Badge>}
                    <small>{ago(v.created_at)}</small>
                  </span>
                  {v.note && <span class="note" dir="auto">{v.note}</span>}
                </button>
              </li>
            ))}
          </ol>
          {pages.hasMore && <Button small kind="quiet" onClick={pages.more}>{ui('more')}</Button>}
        </nav>
        {version && <VersionDetail key={version.version} bot={bot} version={version} onChange={changed} />}
      </div>
      <History bot={bot} />
    </PageBody>
  )
}

function VersionDetail({ bot, version, onChange }: { bot: BotDetail; version: Version; onChange: (to: BotDetail) => void }) {
  const n = version.version
  const [against, setAgainst] = useState(n > 1 ? n - 1 : 0)
  const diff = useQuery(against ? `bots/${bot.id}/diff/${against}/${n}` : null, (signal) => ok(api.GET('/v1/bots/{bot_id}/versions/{a}/diff/{b}', { params: { path: { bot_id: bot.id, a: against, b: n } }, signal })))
  // The differences of settings have no values as they were: these are of the other version.
  const other = useQuery(against ? `bots/${bot.id}/versions/${against}` : null, (signal) => ok(api.GET('/v1/bots/{bot_id}/versions/{version}', { params: { path: { bot_id: bot.id, version: against } }, signal })))
  const params = { params: { path: { bot_id: bot.id } } }
  const publish = useAction('bot.publish', async (operation, to: number) => {
    onChange(await ok(api.POST('/v1/bots/{bot_id}/publish', { ...params, body: { version: to }, ...as(operation) })))
    toast(t('published', { version: `v${to}` }))
  })
  const rollBack = useAction('bot.rollback', async (operation, to: number, current: number) => {
    const saved = await ok(api.POST('/v1/bots/{bot_id}/rollback', { ...params, body: { version: to }, ...as(operation, { 'If-Match': `"${current}"` }) }))
    onChange(saved)
    toast(t('rolledBack', { version: `v${to}`, made: `v${saved.current_version}` }))
  })
  const writes = may('bots.write') && bot.status !== 'archived'
  const others = Array.from({ length: Math.min(bot.current_version, 100) }, (_, i) => bot.current_version - i).filter((v) => v !== n)
  return (
    <section class="version-detail" aria-label={`v${n}`}>
      <header>
        <h2>v{n}</h2>
        <span class="hint">{dateTime(version.created_at)}</span>
        <div class="page-actions">
          {writes && n !== bot.current_version && (
            <Button busy={rollBack.pending} onClick={async () => {
              if (await confirm({ title: t('rollBackTitle', { version: `v${n}` }), text: t('rollBackText', { version: `v${n}`, made: `v${bot.current_version + 1}` }), yes: t('rollBack') })) await rollBack.run(n, bot.current_version)
            }}>
              {t('rollBack')}
            </Button>
          )}
          {writes && n !== bot.published_version && (
            <Button kind="primary" busy={publish.pending} onClick={() => void publish.run(n)}>{t('publish')}</Button>
          )}
        </div>
      </header>
      {version.note && <p dir="auto">{version.note}</p>}
      <FormError failure={publish.failure ?? rollBack.failure} />
      {others.length > 0 && (
        <div class="compare">
          <Select label={t('compareWith')} value={String(against)} options={[{ value: '0', label: t('wholeText') }, ...others.map((v) => ({ value: String(v), label: `v${v}` }))]} onChange={(v) => setAgainst(Number(v))} />
        </div>
      )}
      {!against ? (
        <>
          <h3>{t('instruction')}</h3>
          <div class="prose" dir="auto">{version.instruction || '—'}</div>
          <SettingsList settings={version.settings} />
        </>
      ) : diff.data && other.data ? (
        <>
          <h3>{t('instruction')}</h3>
          <Diff label={t('instruction')} lines={unified(diff.data.instruction)} />
          <SettingsChanges before={other.data.settings} after={version.settings} />
        </>
      ) : (diff.failure ?? other.failure) ? (
        <ErrorState failure={(diff.failure ?? other.failure)!} onRetry={() => (diff.reload(), other.reload())} />
      ) : (
        <Skeleton lines={4} />
      )}
    </section>
  )
}

function History({ bot }: { bot: BotDetail }) {
  const pages = usePages(`bots/${bot.id}/history`, (cursor, signal) => ok(api.GET('/v1/bots/{bot_id}/history', { params: { path: { bot_id: bot.id }, query: { limit: 20, ...(cursor && { cursor }) } }, signal })))
  if (!pages.data?.length) return null
  // A change that answers at once moves both pointers: one line says so.
  const moves = pages.data.filter((m, _, all) => m.pointer === 'published' || !all.some((o) => o.pointer === 'published' && o.to_version === m.to_version && o.cause === m.cause))
  return (
    <Section title={t('historyOf')} hint={t('historyOfHint')}>
      <ul class="list">
        {moves.map((m) => (
          <li key={m.number}>
            <div class="item">
              <Badge>{t(`cause_${m.cause}`)}</Badge>
              <span>{t(m.pointer !== 'published' ? 'movedNewest' : m.from_version ? 'movedLive' : 'firstLive', { to: `v${m.to_version}`, from: `v${m.from_version}` })}</span>
              <small>{ago(m.moved_at)}</small>
            </div>
          </li>
        ))}
      </ul>
      {pages.hasMore && <Button small kind="quiet" onClick={pages.more}>{ui('more')}</Button>}
    </Section>
  )
}
