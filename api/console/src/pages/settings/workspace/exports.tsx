import { api, ok, type Schemas } from '../../../api/client'
import { asFailure } from '../../../api/errors'
import { useAction, usePolling, useQuery } from '../../../api/hooks'
import { as } from '../../../api/operation'
import { bytes, dateTime } from '../../../i18n'
import { At, Badge, Button, Code, Fresh, Icon, messageOf, Reading, Section, toast } from '../../../ui'
import { t } from './messages'

type Export = Schemas['WorkspaceExport']

const tones = { queued: 'accent', running: 'accent', completed: 'good', failed: 'bad', expired: 'plain' } as const
const names = { queued: 'queued', running: 'exporting', completed: 'completed', failed: 'failed', expired: 'expired' } as const

export function Exports({ id }: { id: string }) {
  const path = { workspace_id: id }
  const exports = useQuery(`exports/${id}`, async (signal) => (await ok(api.GET('/v1/workspaces/{workspace_id}/exports', { params: { path, query: { limit: 10 } }, signal }))).items)
  const items = exports.data ?? []
  const working = items.some((e) => e.status === 'queued' || e.status === 'running')
  usePolling(working, exports)
  const start = useAction('export.start', async (operation) => {
    const begun = await ok(api.POST('/v1/workspaces/{workspace_id}/export', { params: { path }, body: {}, ...as(operation) }))
    exports.set([begun, ...items])
    toast(t('exportStarted'))
  })
  return (
    <Section title={t('exports')} hint={t('exportsHint')} actions={<Button small icon="file" busy={start.pending} disabled={working} onClick={() => void start.run()}>{t('start')}</Button>}>
      <div class="stacked">
        {start.failure && <Fresh failure={start.failure} onDone={() => void start.run()} />}
        {!exports.data ? (
          <Reading of={exports} lines={2} />
        ) : items.length ? (
          <ul class="list" aria-label={t('exports')}>
            {items.map((e) => (
              <Item key={e.id} of={e} workspace={id} />
            ))}
          </ul>
        ) : (
          <p class="hint">{t('noExports')}</p>
        )}
        {items.some((e) => e.status === 'completed') && (
          <div>
            <p class="hint">{t('importHint')}</p>
            <Code label={t('importCommand')} text="parley import --owner you@example.com workspace.zip" />
          </div>
        )}
      </div>
    </Section>
  )
}

function Item({ of: e, workspace }: { of: Export; workspace: string }) {
  const download = useAction(`export.download.${e.id}`, async () => {
    try {
      const { download } = await ok(api.GET('/v1/workspaces/{workspace_id}/exports/{export_id}', { params: { path: { workspace_id: workspace, export_id: e.id } } }))
      if (!download) return toast(t('expired'), 'bad')
      const link = document.createElement('a')
      link.href = download.url
      link.download = `workspace-${e.created_at.slice(0, 10)}.zip`
      link.click()
    } catch (thrown) {
      toast(messageOf(asFailure(thrown)), 'bad')
    }
  })
  const { rows, files, files_total: all } = e.progress
  return (
    <li>
      <div class="item export">
        <Icon name="file" />
        <b>
          <At at={e.created_at} />
        </b>
        <Badge tone={tones[e.status]} dot>{t(names[e.status])}</Badge>
        {e.status === 'running' && (all ? <progress max={all} value={files} aria-label={t('files', { n: files, all })} /> : <span class="hint">{t('rows', { n: rows })}</span>)}
        {e.status === 'completed' && (
          <>
            <small>{[bytes(e.size ?? 0), e.expires_at && t('until', { date: dateTime(e.expires_at) })].filter(Boolean).join(', ')}</small>
            <Button small busy={download.pending} aria-label={t('downloadOf', { date: dateTime(e.created_at) })} onClick={() => void download.run()}>{t('download')}</Button>
          </>
        )}
        {e.error && <p class="failed">{e.error.message}</p>}
      </div>
    </li>
  )
}
