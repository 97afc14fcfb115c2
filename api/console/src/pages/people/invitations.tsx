import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction, usePages } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import type { Role } from '../../api/session'
import { href, setQuery } from '../../router'
import { Badge, Button, confirm, Dialog, EmptyState, fieldError, FormDialog, messageOf, Notice, Secret, Select, Table, TextField, toast, When, type Column } from '../../ui'
import { asFailure } from '../../api/errors'
import { t } from './messages'
import { roleHint, roleOptions } from './shared'

type Invitation = Schemas['Invitation']

export const isOpen = (i: Invitation) => !i.accepted_at && !i.revoked_at && new Date(i.expires_at).getTime() > Date.now()

function State({ of: i }: { of: Invitation }) {
  if (i.accepted_at) return <Badge tone="good" dot>{t('accepted')}</Badge>
  if (i.revoked_at) return <Badge>{t('revoked')}</Badge>
  return isOpen(i) ? <Badge tone="accent" dot>{t('openOne')}</Badge> : <Badge>{t('expired')}</Badge>
}

export function Invitations() {
  const pages = usePages('invitations', (cursor, signal) => ok(api.GET('/v1/invitations', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal })))
  const revoke = useAction('invitation.revoke', async (operation, id: string) => {
    try {
      await ok(api.DELETE('/v1/invitations/{invitation_id}', { params: { path: { invitation_id: id } }, ...as(operation) }))
      toast(t('invitationRevoked'))
    } catch (thrown) {
      toast(messageOf(asFailure(thrown)), 'bad')
      throw thrown
    } finally {
      invalidate('invitations')
    }
  })
  const ask = async (i: Invitation) => {
    if (await confirm({ title: t('revokeInvitationTitle', { name: i.email }), text: t('revokeInvitationText'), yes: t('revoke'), danger: true })) void revoke.run(i.id)
  }
  const columns: Column<Invitation>[] = [
    { key: 'email', title: t('email'), width: 'minmax(0, 1fr)', cell: (i) => <b dir="auto">{i.email}</b> },
    { key: 'role', title: t('role'), width: '110px', wide: true, cell: (i) => t(i.role) },
    { key: 'state', title: t('state'), width: '108px', cell: (i) => <State of={i} /> },
    { key: 'until', title: t('expires'), width: '120px', wide: true, end: true, cell: (i) => (isOpen(i) ? <When at={i.expires_at} /> : '—') },
    { key: 'actions', title: t('actions'), width: '84px', end: true, cell: (i) => isOpen(i) && <Button small kind="quiet" aria-label={t('revokeOf', { name: i.email })} onClick={() => void ask(i)}>{t('revoke')}</Button> },
  ]
  const empty = (
    <EmptyState icon="people" title={t('noInvitations')} action={<Button kind="primary" icon="plus" onClick={() => setQuery({ new: '1' })}>{t('invite')}</Button>}>
      {t('noInvitationsText')}
    </EmptyState>
  )
  return <Table label={t('invitations')} columns={columns} pages={pages} rowKey={(i) => i.id} empty={empty} />
}

export function InviteDialog({ onClose }: { onClose: () => void }) {
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<Role>('editor')
  const [made, setMade] = useState<Schemas['NewInvitation'] | null>(null)
  const invite = useAction('invitation.create', async (operation, body: Schemas['CreateInvitationRequest']) => {
    setMade(await ok(api.POST('/v1/invitations', { body, ...as(operation) })))
    invalidate('invitations')
  })
  if (!may('members.manage')) return null
  const run = () => void invite.run({ email: email.trim(), role })
  if (made) {
    return (
      <Dialog title={t('invited')} onClose={onClose} footer={<Button kind="primary" onClick={onClose}>{t('done')}</Button>}>
        <div class="stacked">
          <p dir="auto">{made.token ? t('invitedText', { name: made.email }) : t('invitedByEmail', { name: made.email })}</p>
          {made.token && (
            <>
              <Secret label={t('invitationLink')} text={`${location.origin}${href('/invitation')}#${made.token}`} />
              <Secret label={t('token')} text={made.token} />
              <Notice tone="warn" icon="key">{t('onceToken')}</Notice>
            </>
          )}
        </div>
      </Dialog>
    )
  }
  return (
    <FormDialog title={t('invite')} submit={t('sendInvitation')} action={invite} onSubmit={run} onClose={onClose}>
      <TextField label={t('email')} type="email" required maxLength={254} autocomplete="off" value={email} onInput={setEmail} error={fieldError(invite.failure, 'email')} />
      <Select label={t('role')} hint={roleHint(role)} value={role} onChange={(to) => setRole(to as Role)} options={roleOptions()} error={fieldError(invite.failure, 'role')} />
    </FormDialog>
  )
}
