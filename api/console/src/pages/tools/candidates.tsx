import type { ComponentChildren } from 'preact'
import type { Schemas } from '../../api/client'
import type { Failure } from '../../api/errors'
import { Link } from '../../router'
import { Badge, Button, Checkbox, FormError, Icon, LinkButton, Notice, Section } from '../../ui'
import { t } from './messages'
import { Effect } from './status'

export interface Candidate {
  id: string // by which it is chosen
  name: string
  description: string
  effect: Schemas['ToolEffect']
  target: string
  problem: string | null
}

interface Props {
  list: Candidate[]
  chosen: string[]
  busy: boolean
  failure: Failure | null
  error: string | undefined
  onChoose: (to: string[]) => void
  onMake: () => void
}

const maxChosen = 100 // in one call

// Candidates lists what an import would make, to choose from.
export function Candidates({ list, chosen, busy, failure, error, onChoose, onMake }: Props) {
  const able = list.filter((c) => !c.problem).map((c) => c.id)
  const picked = able.filter((id) => chosen.includes(id))
  const all = able.slice(0, maxChosen)
  if (!list.length) return <Notice icon="search">{t('noCandidates')}</Notice>
  return (
    <Section
      title={t('candidates', { n: able.length })} hint={t('candidatesHint')}
      actions={able.length > 0 && <Button small kind="quiet" onClick={() => onChoose(picked.length === all.length ? [] : all)}>{t(picked.length === all.length ? 'chooseNone' : 'chooseAll')}</Button>}
    >
      <ul class="list candidates">
        {list.map((c) => (
          <li key={c.id} class={c.problem ? 'unable' : ''}>
            <Checkbox
              label={<span class="candidate-name"><code>{c.name}</code> <Effect effect={c.effect} /></span>} disabled={!!c.problem} checked={picked.includes(c.id)}
              hint={<CandidateText of={c} />}
              onChange={(on) => onChoose(on ? [...picked, c.id] : picked.filter((id) => id !== c.id))}
            />
          </li>
        ))}
      </ul>
      <div class="candidates-end">
        <FormError failure={failure} onRetry={onMake} />
        {failure?.code === 'TOOL_NAME_TAKEN' && <p class="hint">{t('takenHint')}</p>}
        {error && <p class="field-error">{error}</p>}
        <div class="form-end">
          <Button kind="primary" disabled={!picked.length || picked.length > maxChosen} busy={busy} onClick={onMake}>{t('makeN', { n: picked.length })}</Button>
          <span class="hint">{picked.length > maxChosen ? t('tooMany') : t('allOrNone')}</span>
        </div>
      </div>
    </Section>
  )
}

function CandidateText({ of: c }: { of: Candidate }) {
  return (
    <>
      <span class="candidate-text" dir="auto">{c.description}</span>
      <code class="candidate-target" dir="ltr">{c.target}</code>
      {c.problem && (
        <span class="candidate-problem">
          <Icon name="alert" size={14} /> {t('cannot')} <span dir="auto">{c.problem}</span>
        </span>
      )}
    </>
  )
}

// Made lists the tools that were made.
export function Made({ tools, onMore, children }: { tools: Schemas['Tool'][]; onMore: () => void; children?: ComponentChildren }) {
  return (
    <div class="stacked">
      <Notice tone="good" icon="check">{t('madeN', { n: tools.length })} {t('madeNext')}</Notice>
      {children}
      <ul class="list">
        {tools.map((tool) => (
          <li key={tool.id}>
            <Link to={`/tools/${tool.id}`}>
              <Icon name="tool" />
              <b class="mono">{tool.name}</b>
              <Effect effect={tool.effect} />
              {tool.credentials && <Badge>{t('withCredentials')}</Badge>}
            </Link>
          </li>
        ))}
      </ul>
      <div class="buttons">
        <LinkButton kind="primary" to="/tools">{t('toTools')}</LinkButton>
        <Button onClick={onMore}>{t('importMore')}</Button>
      </div>
    </div>
  )
}
