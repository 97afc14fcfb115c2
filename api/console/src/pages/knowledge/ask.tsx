import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { Failure } from '../../api/errors'
import { invalidate, useAction, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { navigate } from '../../router'
import { fieldError, FormDialog, Reading, Select, TextField, toast } from '../../ui'
import { t } from './messages'

type Attached = NonNullable<Schemas['NewSettings']['knowledge']>

// AskDialog attaches a base to a bot, or to a new one, and opens its playground: the next step after an upload.
export function AskDialog({ base, onClose }: { base: Schemas['KnowledgeBase']; onClose: () => void }) {
  const bots = useQuery('bots active', async (signal) => (await ok(api.GET('/v1/bots', { params: { query: { limit: 100, status: 'active' } }, signal }))).items)
  const [chosen, setChosen] = useState<string | null>(null)
  const [name, setName] = useState(t('defaultBot'))
  const bot = chosen ?? bots.data?.[0]?.id ?? ''

  const attach = useAction('base.attach', async (operation, to: { bot: string; base: string; name: string }) => {
    const knowledge = [{ id: to.base }]
    if (!to.bot) {
      const made = await ok(api.POST('/v1/bots', { body: { name: to.name, instruction: t('defaultInstruction'), settings: { knowledge } }, ...as(operation) }))
      return open(made.id)
    }
    const path = { bot_id: to.bot }
    const before = await ok(api.GET('/v1/bots/{bot_id}', { params: { path } }))
    const has = ((before.settings as { knowledge?: Attached }).knowledge ?? []) as Attached
    if (!has.some((k) => k.id === to.base)) {
      if (has.length >= 8) throw new Failure(422, 'LIMIT_REACHED', t('tooManyBases'))
      const publish = before.current_version === before.published_version // changes that are not published stay so
      const settings = { ...before.settings, knowledge: [...has, ...knowledge] } as Schemas['NewSettings']
      const after = await ok(api.PUT('/v1/bots/{bot_id}/instruction', { params: { path }, body: { instruction: before.instruction, settings, publish }, ...as(operation, { 'If-Match': `"${before.current_version}"` }) }))
      if (!publish) toast(t('draftKept', { n: after.current_version }), 'plain')
    }
    return open(to.bot)
  })
  const open = (id: string) => {
    invalidate('bot')
    invalidate('home')
    return navigate(`/bots/${id}`)
  }
  const submit = () => void attach.run({ bot, base: base.id, name: name.trim() })
  const options = [...(bots.data ?? []).map((b) => ({ value: b.id, label: b.name })), { value: '', label: t('newBot') }]
  return (
    <FormDialog title={t('askTitle')} submit={t('attach')} action={attach} disabled={!bots.data} onSubmit={submit} onClose={onClose}>
      {!bots.data ? (
        <Reading of={bots} lines={3} />
      ) : (
        <>
          <p class="hint" dir="auto">{t('askHint', { name: base.name })}</p>
          {bots.data.length > 0 && <Select label={t('bot')} value={bot} onChange={setChosen} options={options} />}
          {!bot && <TextField label={t('newBotName')} value={name} onInput={setName} required maxLength={200} error={fieldError(attach.failure, 'name')} />}
        </>
      )}
    </FormDialog>
  )
}
