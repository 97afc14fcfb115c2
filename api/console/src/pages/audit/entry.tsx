import { asText, At, Button, Code, Dialog, Facts, Id } from '../../ui'
import type { Entry } from '.'
import { t } from './messages'

interface Props {
  entry: Entry
  actor: string
  onClose: () => void
  onFilter: (name: 'operation_id' | 'resource_id', id: string) => void
}

const isChange = (value: unknown): value is { from?: unknown; to?: unknown } => typeof value === 'object' && value !== null && Object.keys(value).length > 0 && Object.keys(value).every((k) => k === 'from' || k === 'to')
const shown = (value: unknown) => (value === undefined || value === null || value === '' ? '—' : asText(value))

export function EntryPanel({ entry: e, actor, onClose, onFilter }: Props) {
  const changes = Object.entries(e.changes)
  const moves = changes.length > 0 && changes.every(([, value]) => isChange(value))
  return (
    <Dialog
      side
      title={<code>{e.action}</code>}
      onClose={onClose}
      footer={
        (e.operation_id || e.resource_id) && (
          <>
            {e.operation_id && <Button onClick={() => onFilter('operation_id', e.operation_id!)}>{t('sameOperation')}</Button>}
            {e.resource_id && <Button onClick={() => onFilter('resource_id', e.resource_id!)}>{t('sameResource')}</Button>}
          </>
        )
      }
    >
      <div class="stacked">
        <Facts
          facts={[
            [t('when'), <At at={e.created_at} />],
            [t('who'), <span dir="auto">{actor}</span>],
            [t('resource'), <>{e.resource_type} {e.resource_id && <Id id={e.resource_id} label={t('copy')} />}</>],
            [t('ip'), e.ip],
            [t('agent'), e.user_agent && <span dir="auto">{e.user_agent}</span>],
            e.operation_id ? [t('operation_id'), <Id id={e.operation_id} label={t('copy')} />] : null,
            [t('trace'), <Id id={e.trace_id} label={t('copy')} />],
          ]}
        />
        <div>
          <h3>{t('changes')}</h3>
          {changes.length === 0 ? (
            <p class="hint">{t('noChanges')}</p>
          ) : moves ? (
            <div class="changes-box">
              <table class="changes">
                <thead>
                  <tr>
                    <th scope="col">{t('field')}</th>
                    <th scope="col">{t('before')}</th>
                    <th scope="col">{t('after')}</th>
                  </tr>
                </thead>
                <tbody>
                  {changes.map(([name, value]) => (
                    <tr key={name}>
                      <th scope="row">{name}</th>
                      <td dir="auto">{shown((value as { from?: unknown }).from)}</td>
                      <td dir="auto">{shown((value as { to?: unknown }).to)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          ) : (
            <Code label={t('changes')} text={asText(e.changes)} />
          )}
        </div>
      </div>
    </Dialog>
  )
}
