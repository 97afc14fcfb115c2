import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { useAction } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { navigate } from '../../router'
import { Button, compareLines, Diff, Facts, fieldError, FormError, Notice, Select, TextField, toast, When, type DiffLine } from '../../ui'
import type { Tool } from './draft'
import { t } from './messages'
import { Effect } from './status'

interface Props {
  tool: Tool
  review: Schemas['ToolReview']
  onChange: (to: Tool) => void
  onStale: () => void
}

// Review shows the definition that bots use beside the one that the MCP server has now, for a decision.
export function Review({ tool, review, onChange, onStale }: Props) {
  const [effect, setEffect] = useState(review.effect)
  const [note, setNote] = useState('')
  const next = `v${tool.current_version + 1}`
  const decide = useAction(`tool.review.${tool.id}`, async (operation, body: Schemas['ToolReviewDecision']) => {
    try {
      const after = await ok(api.POST('/v1/tools/{tool_id}/review', { params: { path: { tool_id: tool.id } }, body, ...as(operation) }))
      toast(body.decision === 'accept' ? t('accepted', { version: `v${after.current_version}` }) : t('wasRejected'))
      onChange(after)
      if (!after.review) await navigate(`/tools/${tool.id}`, { force: true })
    } catch (thrown) {
      if ((thrown as { code?: string }).code === 'CONFLICT') onStale()
      throw thrown
    }
  })
  const description = compareLines(tool.description, review.description)
  const schema = compareLines(JSON.stringify(tool.schema, null, 2), review.schema ? JSON.stringify(review.schema, null, 2) : '')
  const writes = may('tools.write')
  return (
    <div class="stacked">
      {decide.failure?.code === 'CONFLICT' ? <Notice tone="warn" icon="alert">{t('reviewStale')}</Notice> : <FormError failure={decide.failure} />}
      {review.status === 'rejected' && <Notice tone="bad" icon="alert">{t('rejectedText')}</Notice>}
      {review.problem && <Notice tone="bad" icon="alert">{t('cannotAccept')} <span dir="auto">{review.problem}</span></Notice>}
      <div>
        <p class="lead">{t('reviewText', { name: tool.remote_name ?? tool.name })}</p>
        <p class="hint">
          {t('found')} <When at={review.found_at} />
        </p>
      </div>
      <div class="sides">
        <Side title={t('pinned', { version: `v${tool.current_version}` })} effect={tool.effect} kind="removed" description={description} schema={schema} />
        <Side title={t('onServer')} effect={review.effect} kind="added" description={description} schema={schema} />
      </div>
      {writes && (
        <form class="lined" onSubmit={(e) => (e.preventDefault(), void decide.run({ decision: 'accept', hash: review.hash, effect, ...(note.trim() && { note: note.trim() }) }))}>
          {!review.problem && (
            <div class="fields">
              <Select label={t('effectAfter')} hint={t('effectAfterHint')} value={effect} onChange={(to) => setEffect(to as Schemas['ToolEffect'])} options={[{ value: 'read', label: t('effect_read') }, { value: 'write', label: t('effect_write') }]} error={fieldError(decide.failure, 'effect')} />
              <TextField label={t('why')} optional maxLength={500} value={note} onInput={setNote} error={fieldError(decide.failure, 'note')} />
            </div>
          )}
          <div class="buttons">
            {!review.problem && <Button kind="primary" type="submit" busy={decide.pending}>{t('accept', { version: next })}</Button>}
            {review.status === 'waiting' && <Button busy={decide.pending} onClick={() => void decide.run({ decision: 'reject', hash: review.hash })}>{t('reject')}</Button>}
          </div>
          <p class="hint">{t('decisionText')}</p>
        </form>
      )}
    </div>
  )
}

function Side({ title, effect, kind, description, schema }: { title: string; effect: Schemas['ToolEffect']; kind: 'added' | 'removed'; description: DiffLine[]; schema: DiffLine[] }) {
  const of = (lines: DiffLine[]) => lines.filter((line) => line.kind === 'same' || line.kind === kind)
  return (
    <section class="review-side" aria-label={title}>
      <h2>{title}</h2>
      <Facts facts={[[t('effect'), <Effect effect={effect} />]]} />
      <h3>{t('description')}</h3>
      <Lines label={`${t('description')}: ${title}`} lines={of(description)} />
      <h3>{t('arguments')}</h3>
      <Lines label={`${t('arguments')}: ${title}`} lines={of(schema)} />
    </section>
  )
}

// Lines shows one side of a comparison, also where it is the same as the other.
function Lines({ label, lines }: { label: string; lines: DiffLine[] }) {
  if (lines.some((line) => line.kind !== 'same')) return <Diff label={label} lines={lines} />
  return (
    <div class="diff" role="region" tabIndex={0} aria-label={label}>
      {lines.map((line, i) => (
        <div key={i} class="same">
          <span class="sign" />
          <span class="text" dir="auto">{line.text || ' '}</span>
        </div>
      ))}
    </div>
  )
}
