import { useRef } from 'preact/hooks'
import { api, ok, type Schemas } from '../../../api/client'
import { useAction, useQuery } from '../../../api/hooks'
import { as } from '../../../api/operation'
import { ago } from '../../../i18n'
import { Badge, Button, confirm, ErrorState, Fresh, Icon, Notice, Section, Skeleton, toast } from '../../../ui'
import { t } from './messages'

// Identities are shown where the server has identity providers, or the account was linked to one.
export function Identities() {
  const all = useQuery('identities', async (signal) => {
    const [identities, providers] = await Promise.all([ok(api.GET('/v1/auth/identities', { signal })), ok(api.GET('/v1/auth/oidc', { signal }))])
    return { items: identities.items, offered: providers.items.length > 0 }
  })
  const asked = useRef('')
  const unlink = useAction('identity.unlink', async (operation, id: string) => {
    asked.current = id
    await ok(api.DELETE('/v1/auth/identities/{identity_id}', { params: { path: { identity_id: id } }, ...as(operation) }))
    toast(t('unlinked'))
    all.reload()
  })
  const ask = async (i: Schemas['Identity']) => {
    if (await confirm({ title: t('unlinkTitle', { name: i.provider_name ?? i.provider }), text: t('unlinkText'), yes: t('unlink'), danger: true })) void unlink.run(i.id)
  }
  if (all.data && !all.data.offered && !all.data.items.length) return null
  return (
    <Section title={t('identities')} hint={t('identitiesHint')}>
      <div class="stacked">
        {(unlink.failure?.code as string | undefined) === 'LAST_SIGN_IN_METHOD' ? <Notice tone="warn" icon="alert"><p role="alert">{t('lastMethod')}</p></Notice> : unlink.failure && <Fresh failure={unlink.failure} onDone={() => void unlink.run(asked.current)} />}
        {!all.data ? (
          all.failure ? <ErrorState failure={all.failure} onRetry={all.reload} /> : <Skeleton lines={2} />
        ) : all.data.items.length ? (
          <ul class="list" aria-label={t('identities')}>
            {all.data.items.map((i) => (
              <li key={i.id}>
                <div class="item">
                  <Icon name="key" />
                  <b dir="auto">{i.provider_name ?? i.provider}</b>
                  <span class="hint one-line" dir="auto">{i.email}</span>
                  {!i.provider_name && <Badge tone="warn">{t('notConfigured')}</Badge>}
                  <small>{t('used', { when: ago(i.used_at) })}</small>
                  <Button small kind="quiet" busy={unlink.pending} aria-label={t('unlinkOf', { name: i.provider_name ?? i.provider })} onClick={() => void ask(i)}>{t('unlink')}</Button>
                </div>
              </li>
            ))}
          </ul>
        ) : (
          <p class="hint">{t('noIdentities')}</p>
        )}
      </div>
    </Section>
  )
}
