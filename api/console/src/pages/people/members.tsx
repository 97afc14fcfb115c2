import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction, usePages } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { me, type Role } from '../../api/session'
import { Badge, Button, Dialog, EmptyState, fieldError, FormDialog, Icon, Menu, Notice, Select, Table, toast, When, type Column } from '../../ui'
import { t } from './messages'
import { mayGive, roleHint, roleOptions } from './shared'

type Member = Schemas['Member']

export function Members() {
  const [changing, setChanging] = useState<Member | null>(null)
  const [removing, setRemoving] = useState<Member | null>(null)
  const pages = usePages('members', (cursor, signal) => ok(api.GET('/v1/members', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal })))
  const own = (m: Member) => m.user_id === me.value?.user_id
  const manages = may('members.manage')
  const columns: Column<Member>[] = [
    {
      key: 'email', title: t('email'), width: 'minmax(0, 1fr)',
      cell: (m) => (
        <span class="row-link">
          <span class="avatar" aria-hidden="true">
            {m.email[0]?.toUpperCase()}
          </span>
          <b dir="auto">{m.email}</b>
          {own(m) && <Badge>{t('you')}</Badge>}
        </span>
      ),
    },
    { key: 'role', title: t('role'), width: '100px', cell: (m) => t(m.role) },
    { key: 'joined', title: t('joined'), width: '120px', wide: true, end: true, cell: (m) => <When at={m.joined_at} /> },
    ...(manages
      ? [{
          key: 'actions', title: t('actions'), width: '36px',
          cell: (m: Member) =>
            !own(m) && mayGive(m.role) && (
              <Menu
                label={t('actionsOf', { name: m.email })}
                align="end"
                button={<Icon name="dots" />}
                groups={[{ items: [{ label: t('changeRole'), icon: 'key', onSelect: () => setChanging(m) }] }, { items: [{ label: t('remove'), icon: 'trash', danger: true, onSelect: () => setRemoving(m) }] }]}
              />
            ),
        }]
      : []),
  ]
  return (
    <>
      <div class={manages ? 'with-menus' : ''}>
        <Table label={t('members')} columns={columns} pages={pages} rowKey={(m) => m.user_id} empty={<EmptyState icon="people" title={t('members')} />} />
      </div>
      {changing && <RoleDialog member={changing} onClose={() => setChanging(null)} />}
      {removing && <RemoveDialog member={removing} onClose={() => setRemoving(null)} />}
    </>
  )
}

function RoleDialog({ member, onClose }: { member: Member; onClose: () => void }) {
  const [role, setRole] = useState<Role>(member.role)
  const change = useAction(`member.change.${member.user_id}`, async (operation, role: Role) => {
    await ok(api.PATCH('/v1/members/{user_id}', { params: { path: { user_id: member.user_id } }, body: { role }, ...as(operation) }))
    invalidate('members')
    toast(t('roleChanged'))
    onClose()
  })
  const run = () => void change.run(role)
  const options = roleOptions()
  const lower = options.findIndex((o) => o.value === role) < options.findIndex((o) => o.value === member.role)
  return (
    <FormDialog title={t('changeRole')} submit={t('save')} action={change} disabled={role === member.role} onSubmit={run} onClose={onClose}>
      <Select label={t('roleOf', { name: member.email })} hint={roleHint(role)} value={role} onChange={(to) => setRole(to as Role)} options={options} error={fieldError(change.failure, 'role')} />
      {lower && <Notice tone="warn" icon="alert">{t('lowerHint')}</Notice>}
    </FormDialog>
  )
}

function RemoveDialog({ member, onClose }: { member: Member; onClose: () => void }) {
  const [left, setLeft] = useState<Schemas['ResourceList'] | null>(null)
  const remove = useAction(`member.remove.${member.user_id}`, async (operation) => {
    const resources = await ok(api.DELETE('/v1/members/{user_id}', { params: { path: { user_id: member.user_id } }, ...as(operation) }))
    invalidate('members')
    invalidate('api-keys')
    toast(t('removed'))
    if (resources.items.length) setLeft(resources)
    else onClose()
  })
  if (left) {
    return (
      <Dialog title={t('leftTitle')} onClose={onClose} footer={<Button kind="primary" onClick={onClose}>{t('done')}</Button>}>
        <div class="stacked">
          <p>{t('leftText', { name: member.email })}</p>
          <ul class="list">
            {left.items.map((r) => (
              <li key={r.id}>
                <div class="item">
                  <b dir="auto">{r.name}</b>
                  <small>
                    {r.kind} · {r.status}
                  </small>
                </div>
              </li>
            ))}
          </ul>
        </div>
      </Dialog>
    )
  }
  return (
    <FormDialog danger title={t('removeTitle', { name: member.email })} submit={t('remove')} action={remove} onSubmit={() => void remove.run()} onClose={onClose}>
      <p>{t('removeText')}</p>
    </FormDialog>
  )
}
