import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { navigate } from '../../router'
import { confirm, fieldError, FormDialog, FormError, Icon, Menu, PageBody, PageHeader, Reading, Tabs, TextField, toast, type MenuItem } from '../../ui'
import { BotKnowledge } from './knowledge'
import { Editor } from './editor'
import { t } from './messages'
import { Playground } from './playground'
import { BotStatus } from './status'
import './styles.css'
import { BotTools } from './tools'
import { Versions } from './versions'

export type BotDetail = Schemas['Bot']

const parts = ['playground', 'instruction', 'knowledge', 'tools', 'versions'] as const

export function Bot({ id, tab }: { id: string; tab: string }) {
  const bot = useQuery(`bots/${id}`, (signal) => ok(api.GET('/v1/bots/{bot_id}', { params: { path: { bot_id: id } }, signal })))
  const data = bot.data
  const part = parts.find((p) => p === tab) ?? 'playground'
  const changed = (to: BotDetail) => {
    bot.set(to)
    invalidate('bots?')
    invalidate('home')
  }
  return (
    <>
      <PageHeader
        title={data?.name ?? t('bot')}
        crumb={{ to: '/bots', label: t('title') }}
        badge={data && <BotStatus bot={data} />}
        actions={data && may('bots.write') && <BotMenu bot={data} onChange={changed} />}
        tabs={<Tabs label={t('parts')} tabs={parts.map((p) => ({ to: p === 'playground' ? `/bots/${id}` : `/bots/${id}/${p}`, label: t(p), current: p === part }))} />}
      />
      {!data ? (
        <PageBody><Reading of={bot} lines={5} tall /></PageBody>
      ) : part === 'playground' ? (
        <Playground bot={data} />
      ) : part === 'instruction' ? (
        <Editor bot={data} onSaved={changed} />
      ) : part === 'knowledge' ? (
        <BotKnowledge bot={data} onSaved={changed} />
      ) : part === 'tools' ? (
        <BotTools bot={data} onSaved={changed} />
      ) : (
        <Versions bot={data} onChange={changed} />
      )}
    </>
  )
}

function BotMenu({ bot, onChange }: { bot: BotDetail; onChange: (to: BotDetail) => void }) {
  const [renaming, setRenaming] = useState(false)
  const [name, setName] = useState(bot.name)
  const path = { params: { path: { bot_id: bot.id } } }
  const change = useAction('bot.change', async (operation, body: Schemas['ChangeBotRequest']) => {
    onChange(await ok(api.PATCH('/v1/bots/{bot_id}', { ...path, body, ...as(operation) })))
    setRenaming(false)
  })
  const remove = useAction('bot.delete', async (operation, threads: boolean) => {
    await ok(api.DELETE('/v1/bots/{bot_id}', { params: { path: { bot_id: bot.id }, query: { threads } }, ...as(operation) }))
    invalidate('bots?')
    invalidate('home')
    toast(t('deleted', { name: bot.name }))
    await navigate('/bots', { force: true })
  })
  const archived = bot.status === 'archived'
  const items: MenuItem[] = [
    { label: t('rename'), icon: 'gear', onSelect: () => (setName(bot.name), setRenaming(true)) },
    { label: archived ? t('unarchive') : t('archive'), icon: 'clock', onSelect: () => void change.run({ status: archived ? 'active' : 'archived' }) },
  ]
  if (may('bots.delete')) {
    items.push({
      label: t('delete'), icon: 'trash', danger: true,
      onSelect: async () => {
        if (await confirm({ title: t('deleteTitle', { name: bot.name }), text: t('deleteText'), yes: t('delete'), danger: true })) await remove.run(false)
      },
    })
  }
  const failure = remove.failure ?? (renaming ? null : change.failure)
  return (
    <>
      {failure && <FormError failure={failure} />}
      <Menu label={t('more')} align="end" button={<Icon name="dots" />} groups={[{ items }]} />
      {renaming && (
        <FormDialog title={t('rename')} submit={t('save')} action={change} onSubmit={() => void change.run({ name: name.trim() })} onClose={() => setRenaming(false)}>
          <TextField label={t('name')} value={name} onInput={setName} required maxLength={200} error={fieldError(change.failure, 'name')} />
        </FormDialog>
      )}
    </>
  )
}
