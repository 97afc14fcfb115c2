import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction, usePages, useQuery } from '../../api/hooks'
import { useBots } from '../../api/lists'
import { as } from '../../api/operation'
import { here } from '../../api/session'
import { compact, money, number } from '../../i18n'
import { setQuery } from '../../router'
import { At, Badge, Button, Checkbox, confirm, Dialog, EmptyState, Facts, fieldError, FormDialog, FormError, Fresh, Id, Notice, Reading, RowLink, Secret, Select, Table, TextField, toast, When, type Column } from '../../ui'
import { t } from './messages'
import { roleHint } from './shared'

type Key = Schemas['ApiKey']
type Limits = Schemas['ApiKeyLimits']

function KeyState({ of: k }: { of: Key }) {
  if (k.revoked_at) return <Badge>{t('revoked')}</Badge>
  if (k.expires_at && new Date(k.expires_at).getTime() <= Date.now()) return <Badge>{t('expired')}</Badge>
  if (k.suspended_at) return <Badge tone="bad" dot>{t('suspended')}</Badge>
  return <Badge tone="good" dot>{t('works')}</Badge>
}

export function Keys() {
  const [open, setOpen] = useState<Key | null>(null)
  const pages = usePages('api-keys', (cursor, signal) => ok(api.GET('/v1/api-keys', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal })))
  const columns: Column<Key>[] = [
    {
      key: 'name', title: t('name'), width: 'minmax(0, 1fr)',
      cell: (k) => <RowLink onClick={() => setOpen(k)} icon="key" name={k.name} below={<small class="mono">{k.hint}…</small>} />,
    },
    { key: 'role', title: t('role'), width: '110px', wide: true, cell: (k) => t(k.role) },
    { key: 'state', title: t('state'), width: '110px', cell: (k) => <KeyState of={k} /> },
    { key: 'used', title: t('lastUsed'), width: '120px', wide: true, end: true, cell: (k) => (k.last_used_at ? <When at={k.last_used_at} /> : t('never')) },
  ]
  const empty = (
    <EmptyState icon="key" title={t('noKeys')} action={<Button kind="primary" icon="plus" onClick={() => setQuery({ new: '1' })}>{t('newKey')}</Button>}>
      {t('noKeysText')}
    </EmptyState>
  )
  return (
    <>
      <Table label={t('keys')} columns={columns} pages={pages} rowKey={(k) => k.id} rowHeight={57} empty={empty} />
      {open && <KeyPanel key={open.id} of={open} onClose={() => setOpen(null)} />}
    </>
  )
}

function KeyPanel({ of: k, onClose }: { of: Key; onClose: () => void }) {
  const path = { key_id: k.id }
  const bots = useBots()
  const usage = useQuery(`api-key usage ${k.id}`, (signal) => ok(api.GET('/v1/api-keys/{key_id}/usage', { params: { path }, signal })))
  const revoke = useAction(`api-key.revoke.${k.id}`, async (operation) => {
    await ok(api.DELETE('/v1/api-keys/{key_id}', { params: { path }, ...as(operation) }))
    invalidate('api-keys')
    toast(t('keyRevoked'))
    onClose()
  })
  const adopt = useAction(`api-key.adopt.${k.id}`, async (operation) => {
    await ok(api.POST('/v1/api-keys/{key_id}/adopt', { params: { path }, ...as(operation) }))
    invalidate('api-keys')
    toast(t('adopted'))
    onClose()
  })
  const ask = async () => {
    if (await confirm({ title: t('revokeKeyTitle', { name: k.name }), text: t('revokeKeyText'), yes: t('revoke'), danger: true })) void revoke.run()
  }
  return (
    <Dialog
      side
      title={<span dir="auto">{k.name}</span>}
      onClose={onClose}
      footer={
        !k.revoked_at && (
          <>
            <Button kind="quiet-danger" icon="trash" busy={revoke.pending} onClick={() => void ask()}>{t('revoke')}</Button>
            {k.suspended_at && <Button kind="primary" busy={adopt.pending} onClick={() => void adopt.run()}>{t('adopt')}</Button>}
          </>
        )
      }
    >
      <div class="stacked">
        <FormError failure={revoke.failure} />
        {adopt.failure && <Fresh failure={adopt.failure} onDone={() => void adopt.run()} />}
        {k.suspended_at && !k.revoked_at && <Notice tone="warn" icon="alert">{t('suspendedText')}</Notice>}
        <Facts
          facts={[
            [t('state'), <KeyState of={k} />],
            [t('role'), t(k.role)],
            [t('key'), <code>{k.hint}…</code>],
            [t('bots'), k.bot_ids ? k.bot_ids.map((id) => bots.data?.find((b) => b.id === id)?.name ?? id).join(', ') : t('allBots')],
            [t('addresses'), k.allowed_addresses?.join(', ') ?? t('anyAddress')],
            [t('made'), <At at={k.created_at} />],
            [t('expires'), k.expires_at ? <At at={k.expires_at} /> : t('never')],
            [t('lastUsed'), k.last_used_at ? <When at={k.last_used_at} /> : t('never')],
            [t('id'), <Id id={k.id} label={t('copy')} />],
          ]}
        />
        <div>
          <h3>{t('limits')}</h3>
          {!usage.data ? (
            <Reading of={usage} lines={2} />
          ) : usage.data.limits.length === 0 ? (
            <p class="hint">{t('noLimits')}</p>
          ) : (
            <ul class="list">
              {usage.data.limits.map((l) => (
                <li key={l.metric + l.period}>
                  <div class="item">
                    <span>{t(`${l.metric}_${l.period}` as 'turns_day')}</span>
                    <small>{t('usedOf', { used: l.metric === 'cost_micros' ? money(l.used) : number(l.used), limit: l.metric === 'cost_micros' ? money(l.limit) : compact(l.limit) })}</small>
                  </div>
                </li>
              ))}
            </ul>
          )}
        </div>
      </div>
    </Dialog>
  )
}

const limited = ['requests_per_minute', 'turns_per_day', 'tokens_per_month'] as const
const lives = ['', '30', '90', '365'] as const

export function NewKeyDialog({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const [role, setRole] = useState<Schemas['KeyRole']>('editor')
  const [days, setDays] = useState<string>('')
  const [some, setSome] = useState<string[]>([])
  const [addresses, setAddresses] = useState('')
  const [limits, setLimits] = useState<Partial<Record<(typeof limited)[number], string>>>({})
  const [made, setMade] = useState<Schemas['NewApiKey'] | null>(null)
  const [until, setUntil] = useState<string>() // kept, so that the same call is sent again
  const bots = useBots()
  const create = useAction('api-key.create', async (operation, body: Schemas['CreateApiKeyRequest']) => {
    setMade(await ok(api.POST('/v1/api-keys', { body, ...as(operation) })))
    invalidate('api-keys')
  })
  if (made) {
    return (
      <Dialog fixed title={t('keyMade')} onClose={onClose} footer={<Button kind="primary" onClick={onClose}>{t('copiedIt')}</Button>}>
        <div class="stacked">
          <Secret label={t('key')} text={made.key} />
          <Notice tone="warn" icon="key">{t('onceKey')}</Notice>
        </div>
      </Dialog>
    )
  }
  const run = () => {
    const given: Limits = {}
    for (const l of limited) if (limits[l]) given[l] = Number(limits[l])
    const networks = addresses.split(/[\s,]+/).filter(Boolean)
    void create.run({ name: name.trim(), role, ...(until && { expires_at: until }), ...(some.length && { bot_ids: some }), ...(networks.length && { allowed_addresses: networks }), ...(Object.keys(given).length && { limits: given }) })
  }
  const choose = (to: string) => {
    setDays(to)
    setUntil(to ? new Date(Date.now() + Number(to) * 86_400_000).toISOString() : undefined)
  }
  const keyRoles: Schemas['KeyRole'][] = ['editor', 'viewer', 'chat', 'embed']
  return (
    <FormDialog title={t('newKey')} submit={t('createKey')} action={create} onSubmit={run} onClose={onClose}>
      <TextField label={t('name')} hint={t('keyNameHint', { name: here.value?.name ?? '' })} required maxLength={200} value={name} onInput={setName} error={fieldError(create.failure, 'name')} />
      <Select label={t('role')} hint={roleHint(role)} value={role} onChange={(to) => setRole(to as Schemas['KeyRole'])} options={keyRoles.map((r) => ({ value: r, label: t(r) }))} error={fieldError(create.failure, 'role')} />
      <Select label={t('expires')} value={days} onChange={choose} options={lives.map((d) => ({ value: d, label: d ? t('inDays', { n: Number(d) }) : t('never') }))} error={fieldError(create.failure, 'expires_at')} />
      {(bots.data?.length ?? 0) > 0 && (
        <fieldset>
          <legend>{t('onlyBots')}</legend>
          <div class="bots">
            {bots.data!.map((b) => (
              <Checkbox key={b.id} label={<span dir="auto">{b.name}</span>} checked={some.includes(b.id)} onChange={(on) => setSome(on ? [...some, b.id] : some.filter((id) => id !== b.id))} />
            ))}
          </div>
          <p class="hint">{some.length ? t('someBotsHint') : t('allBotsHint')}</p>
        </fieldset>
      )}
      <details>
        <summary>{t('more')}</summary>
        <div class="stacked section">
          <TextField label={t('addresses')} optional hint={t('addressesHint')} dir="ltr" placeholder="203.0.113.0/24" value={addresses} onInput={setAddresses} error={fieldError(create.failure, 'allowed_addresses')} />
          <div class="fields">
            {limited.map((l) => (
              <TextField key={l} label={t(l)} optional type="number" min={1} value={limits[l] ?? ''} onInput={(to) => setLimits({ ...limits, [l]: to })} error={fieldError(create.failure, `limits.${l}`)} />
            ))}
          </div>
        </div>
      </details>
    </FormDialog>
  )
}
