import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../../api/client'
import { useAction, useQuery } from '../../../api/hooks'
import { as } from '../../../api/operation'
import { may } from '../../../api/permissions'
import { At, Button, confirm, Facts, fieldError, Fresh, Reading, TextField, toast } from '../../../ui'
import { t } from './messages'

type Kept = Schemas['Retention']

const settings = [
  { key: 'threads_days', min: 1, max: 3650 },
  { key: 'audit_days', min: 90, max: 3650 },
  { key: 'usage_months', min: 1, max: 120 },
  { key: 'events_days', min: 1, max: 3650 },
  { key: 'jobs_days', min: 1, max: 3650 },
] as const

export function Retention({ id }: { id: string }) {
  const kept = useQuery(`retention/${id}`, (signal) => ok(api.GET('/v1/workspaces/{workspace_id}/retention', { params: { path: { workspace_id: id } }, signal })))
  if (!kept.data) return <Reading of={kept} lines={4} tall />
  const { next_run_at: next, last_run: last } = kept.data
  return (
    <div class="card stacked">
      <Form key={settings.map((s) => kept.data![s.key]).join()} id={id} kept={kept.data} onSaved={kept.set} />
      {(next || last) && (
        <div class="lined">
          <Facts facts={[next ? [t('nextRun'), <At at={next} />] : null, last && [t('lastRun'), <Run of={last} />]]} />
        </div>
      )}
    </div>
  )
}

function Form({ id, kept, onSaved }: { id: string; kept: Kept; onSaved: (to: Kept) => void }) {
  const [values, setValues] = useState(() => Object.fromEntries(settings.map((s) => [s.key, kept[s.key]?.toString() ?? ''])))
  const valueOf = (key: (typeof settings)[number]['key']) => (values[key]?.trim() ? Number(values[key]) : null)
  const body: Schemas['PutRetentionRequest'] = Object.fromEntries(settings.map((s) => [s.key, valueOf(s.key)]))
  const put = useAction('retention.put', async (operation, body: Schemas['PutRetentionRequest']) => {
    onSaved(await ok(api.PUT('/v1/workspaces/{workspace_id}/retention', { params: { path: { workspace_id: id } }, body, ...as(operation) })))
    toast(t('saved'))
  })
  const secures = may('workspace.secure')
  const changed = settings.some((s) => valueOf(s.key) !== kept[s.key])
  const deletesMore = settings.some((s) => valueOf(s.key) !== null && valueOf(s.key)! < (kept[s.key] ?? Infinity))
  const save = async () => {
    if (!deletesMore || (await confirm({ title: t('forgetTitle'), text: t('forgetText'), yes: t('forgetYes'), danger: true }))) void put.run(body)
  }
  return (
    <form onSubmit={(e) => (e.preventDefault(), void save())}>
      <Fresh failure={put.failure} onDone={() => void put.run(body)} />
      <div class="fields">
        {settings.map(({ key, min, max }) => (
          <TextField key={key} label={t(key)} hint={t(`${key}Hint`)} type="number" inputMode="numeric" min={min} max={max} step={1} readOnly={!secures} value={values[key] ?? ''} onInput={(to) => setValues({ ...values, [key]: to })} error={fieldError(put.failure, key)} />
        ))}
      </div>
      {secures ? (
        <div class="save">
          <Button kind="primary" type="submit" busy={put.pending} disabled={!changed}>
            {t('save')}
          </Button>
        </div>
      ) : (
        <p class="hint">{t('ownersSet')}</p>
      )}
    </form>
  )
}

function Run({ of: run }: { of: Schemas['RetentionRun'] }) {
  const { threads, events, jobs, audit, usage } = run.removed
  const counts = ([['removedThreads', threads], ['removedEvents', events], ['removedJobs', jobs], ['removedAudit', audit], ['removedUsage', usage]] as const).filter(([, n]) => n > 0)
  return (
    <>
      <At at={run.started_at} />
      <p class="hint">
        {run.error ? t('runFailed', { error: run.error }) : !run.ended_at ? t('running') : counts.length ? t('removed', { what: counts.map(([key, n]) => t(key, { n })).join(', ') }) : t('nothingRemoved')}
      </p>
    </>
  )
}
