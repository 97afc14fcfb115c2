import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { PageLink } from '../../layout/links'
import { asText, At, Button, Checkbox, Code, Dialog, Facts, fieldError, FormError, Id, Notice, Reading, TextArea, TextField, toast, When } from '../../ui'
import { CallStatus, type Call } from './calls'
import { t } from './messages'

export function CallPanel({ id, botName, onClose }: { id: string; botName: (id: string | null) => string; onClose: () => void }) {
  const call = useQuery(`tool-call/${id}`, (signal) => ok(api.GET('/v1/tool-calls/{tool_call_id}', { params: { path: { tool_call_id: id } }, signal })))
  const c = call.data
  const decided = (to: Call) => {
    call.set(to)
    invalidate('tool-calls')
  }
  return (
    <Dialog side title={c ? c.name : t('call')} onClose={onClose}>
      {!c ? (
        <Reading of={call} lines={6} tall />
      ) : (
        <div class="stacked">
          <Facts
            facts={[
              [t('status'), <CallStatus status={c.status} />],
              [t('effect'), c.effect === 'write' ? t('effectWrite') : t('effectRead')],
              [t('bot'), c.bot_id && <PageLink page="bots" to={`/bots/${c.bot_id}`}><span dir="auto">{botName(c.bot_id)}</span></PageLink>],
              [t('thread'), <PageLink page="conversations" to={`/conversations/${c.thread_id}`}><code>{c.thread_id}</code></PageLink>],
              [t('asked'), <At at={c.created_at} />],
              c.status === 'waiting' && c.expires_at ? [t('expires'), <When at={c.expires_at} />] : null,
              c.decided_at ? [t('decided'), <At at={c.decided_at} />] : null,
              [t('reason'), c.reason && <span dir="auto">{c.reason}</span>],
              c.attempts > 1 ? [t('attempts'), c.attempts] : null,
              [t('callId'), <Id id={c.id} label={t('copyId')} />],
            ]}
          />
          {c.result !== null && (
            <div>
              <h3>{t('result')}</h3>
              <Code label={t('result')} text={c.result} />
            </div>
          )}
          {c.status === 'waiting' && c.kind !== 'client' && may('tools.approve') ? (
            <Decide call={c} onDone={decided} onStale={call.reload} />
          ) : (
            <>
              <div>
                <h3>{t('arguments')}</h3>
                <Code label={t('arguments')} text={asText(c.arguments)} />
              </div>
              {c.status === 'waiting' && c.kind !== 'client' && <Notice icon="clock">{t('waitsForOthers')}</Notice>}
              {c.status === 'waiting' && c.kind === 'client' && (may('turns.take') ? <Answer call={c} onDone={decided} onStale={call.reload} /> : <Notice icon="clock">{t('waitsForClient')}</Notice>)}
              {c.status === 'unknown' && (may('tools.approve') ? <Settle call={c} onDone={decided} onStale={call.reload} /> : <Notice tone="warn" icon="alert">{t('unknownText')}</Notice>)}
            </>
          )}
        </div>
      )}
    </Dialog>
  )
}

interface Form {
  call: Call
  onDone: (to: Call) => void
  onStale: () => void // the call was decided elsewhere
}

function useDecision({ call, onDone, onStale }: Form) {
  return useAction(`tool-call.decide.${call.id}`, async (operation, body: Schemas['ToolCallDecision']) => {
    try {
      onDone(await ok(api.POST('/v1/tool-calls/{tool_call_id}/decision', { params: { path: { tool_call_id: call.id } }, body, ...as(operation) })))
    } catch (thrown) {
      if ((thrown as { code?: string }).code === 'TOOL_CALL_DECIDED') {
        toast(t('decidedElsewhere'), 'bad')
        invalidate('tool-calls')
        onStale()
      }
      throw thrown
    }
    toast(t({ approve: 'approvedToast', deny: 'deniedToast', succeeded: 'settledToast', failed: 'settledToast' }[body.decision] as 'approvedToast'))
  })
}

function Decide(form: Form) {
  const original = asText(form.call.arguments)
  const [text, setText] = useState(original)
  const [editing, setEditing] = useState(false)
  const [wrong, setWrong] = useState<string>()
  const [reason, setReason] = useState('')
  const decide = useDecision(form)
  const said = reason.trim() && { reason: reason.trim() }
  const approve = () => {
    const changed = editing && text !== original
    let given: Record<string, unknown> | undefined
    if (changed) {
      try {
        given = JSON.parse(text) as Record<string, unknown>
        if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new Error()
      } catch {
        return setWrong(t('notJson'))
      }
    }
    setWrong(undefined)
    void decide.run({ decision: 'approve', ...(given && { arguments: given }), ...said })
  }
  return (
    <form onSubmit={(e) => (e.preventDefault(), approve())}>
      <FormError failure={decide.failure} />
      {editing ? (
        <TextArea label={t('arguments')} hint={t('editHint')} class="input area mono" dir="ltr" rows={10} spellcheck={false} value={text} onInput={(to) => (setText(to), setWrong(undefined))} error={wrong ?? fieldError(decide.failure, 'arguments')} />
      ) : (
        <div>
          <h3>{t('arguments')}</h3>
          <Code label={t('arguments')} text={original} />
        </div>
      )}
      <TextField label={t('reason')} optional hint={t('reasonHint')} maxLength={1000} value={reason} onInput={setReason} error={fieldError(decide.failure, 'reason')} />
      <div class="buttons">
        <Button kind="primary" icon="check" type="submit" busy={decide.pending}>
          {editing && text !== original ? t('approveEdited') : t('approve')}
        </Button>
        <Button icon="x" disabled={decide.pending} onClick={() => void decide.run({ decision: 'deny', ...said })}>
          {t('deny')}
        </Button>
        <span class="end">
          <Button kind="quiet" onClick={() => (setEditing(!editing), setText(original), setWrong(undefined))}>
            {editing ? t('stopEditing') : t('edit')}
          </Button>
        </span>
      </div>
    </form>
  )
}

function Settle(form: Form) {
  const [result, setResult] = useState('')
  const decide = useDecision(form)
  const body = result.trim() ? { result: result.trim() } : {}
  return (
    <form class="lined" onSubmit={(e) => e.preventDefault()}>
      <Notice tone="warn" icon="alert">
        {t('unknownText')}
      </Notice>
      <FormError failure={decide.failure} />
      <TextArea label={t('found')} optional hint={t('foundHint')} rows={3} value={result} onInput={setResult} error={fieldError(decide.failure, 'result')} />
      <div class="buttons">
        <Button icon="check" busy={decide.pending} onClick={() => void decide.run({ decision: 'succeeded', ...body })}>
          {t('itSucceeded')}
        </Button>
        <Button icon="x" disabled={decide.pending} onClick={() => void decide.run({ decision: 'failed', ...body })}>
          {t('itFailed')}
        </Button>
      </div>
    </form>
  )
}

// Answer gives the result of a call that a client was to make.
function Answer({ call, onDone, onStale }: Form) {
  const [content, setContent] = useState('')
  const [failed, setFailed] = useState(false)
  const answer = useAction(`tool-call.answer.${call.id}`, async (operation, body: Schemas['ToolCallResult']) => {
    try {
      onDone(await ok(api.POST('/v1/tool-calls/{tool_call_id}/result', { params: { path: { tool_call_id: call.id } }, body, ...as(operation) })))
    } catch (thrown) {
      if ((thrown as { code?: string }).code === 'TOOL_CALL_DECIDED') onStale()
      throw thrown
    }
    toast(t('answeredToast'))
  })
  return (
    <form class="lined" onSubmit={(e) => (e.preventDefault(), void answer.run({ content, ...(failed && { failed }) }))}>
      <Notice icon="clock">{t('waitsForClient')}</Notice>
      <FormError failure={answer.failure} />
      <TextArea label={t('answerInstead')} hint={t('answerHint')} required rows={4} value={content} onInput={setContent} error={fieldError(answer.failure, 'content')} />
      <Checkbox label={t('answerFailed')} checked={failed} onChange={setFailed} />
      <div class="buttons">
        <Button kind="primary" type="submit" busy={answer.pending}>
          {t('sendAnswer')}
        </Button>
      </div>
    </form>
  )
}
