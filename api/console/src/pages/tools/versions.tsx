import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { useAction, usePages } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { ago, dateTime } from '../../i18n'
import { Badge, Button, compareLines, confirm, Diff, FormError, Reading, Select, toast } from '../../ui'
import { t as ui } from '../../ui/messages'
import { ToolDefinition } from './definition'
import { draftOf, fieldsOf, textOf, type Tool } from './draft'
import { t } from './messages'

type Version = Schemas['ToolVersion']

export function ToolVersions({ tool, onChange }: { tool: Tool; onChange: (to: Tool) => void }) {
  const pages = usePages(`tools/${tool.id}/versions/${tool.current_version}`, (cursor, signal) => ok(api.GET('/v1/tools/{tool_id}/versions', { params: { path: { tool_id: tool.id }, query: { limit: 50, ...(cursor && { cursor }) } }, signal })))
  const [chosen, choose] = useState<number | null>(null)
  const number = chosen ?? tool.current_version
  if (!pages.data) return <Reading of={pages} lines={5} tall />
  const version = pages.data.find((v) => v.version === number)
  return (
    <div class="versions">
      <nav aria-label={t('versions')}>
        <ol class="version-list">
          {pages.data.map((v) => (
            <li key={v.version}>
              <button type="button" aria-current={v.version === number ? 'true' : undefined} onClick={() => choose(v.version)}>
                <span class="line">
                  <b>v{v.version}</b>
                  {v.version === tool.current_version && <Badge tone="good" dot>{t('newest')}</Badge>}
                  <small>{ago(v.created_at)}</small>
                </span>
                {v.note && <span class="note" dir="auto">{v.note}</span>}
              </button>
            </li>
          ))}
        </ol>
        {pages.hasMore && <Button small kind="quiet" onClick={pages.more}>{ui('more')}</Button>}
      </nav>
      {version && <Detail key={version.version} tool={tool} version={version} all={pages.data} onChange={(to) => (choose(null), onChange(to))} />}
    </div>
  )
}

function Detail({ tool, version, all, onChange }: { tool: Tool; version: Version; all: Version[]; onChange: (to: Tool) => void }) {
  const n = version.version
  const others = all.filter((v) => v.version !== n)
  const [against, setAgainst] = useState(others.find((v) => v.version < n)?.version ?? 0)
  const other = others.find((v) => v.version === against)
  const restore = useAction(`tool.restore.${tool.id}`, async (operation, from: number, current: number) => {
    const fields = fieldsOf(draftOf(version))
    if (!fields) return
    const saved = await ok(api.PATCH('/v1/tools/{tool_id}', { params: { path: { tool_id: tool.id } }, body: { ...fields, note: t('restoreNote', { version: `v${from}` }) }, ...as(operation, { 'If-Match': `"${current}"` }) }))
    onChange(saved)
    toast(t('restored', { version: `v${from}`, made: `v${saved.current_version}` }))
  })
  const ask = async () => {
    const made = `v${tool.current_version + 1}`
    if (await confirm({ title: t('restoreTitle', { version: `v${n}` }), text: t('restoreText', { version: `v${n}`, made }), yes: t('restore') })) await restore.run(n, tool.current_version)
  }
  return (
    <section class="version-detail" aria-label={`v${n}`}>
      <header>
        <h2>v{n}</h2>
        <span class="hint">{dateTime(version.created_at)}</span>
        {may('tools.write') && tool.kind !== 'mcp' && n !== tool.current_version && (
          <div class="page-actions">
            <Button busy={restore.pending} onClick={() => void ask()}>{t('restore')}</Button>
          </div>
        )}
      </header>
      {version.note && <p dir="auto">{version.note}</p>}
      <FormError failure={restore.failure} />
      {others.length > 0 && (
        <div class="compare">
          <Select label={t('compareWith')} value={String(against)} options={[{ value: '0', label: t('wholeText') }, ...others.map((v) => ({ value: String(v.version), label: `v${v.version}` }))]} onChange={(v) => setAgainst(Number(v))} />
        </div>
      )}
      {other ? (
        <>
          <h3>{t('description')}</h3>
          <Diff label={t('description')} lines={compareLines(other.description, version.description)} />
          <h3 class="spaced">{t('definition')}</h3>
          <Diff label={t('definition')} lines={compareLines(textOf(other), textOf(version))} />
        </>
      ) : (
        <ToolDefinition of={version} />
      )}
    </section>
  )
}
