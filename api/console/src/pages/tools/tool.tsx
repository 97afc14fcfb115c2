import { useState } from 'preact/hooks'
import { api, ok } from '../../api/client'
import type { Failure } from '../../api/errors'
import { invalidate, useAction, useQuery } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { Link, navigate } from '../../router'
import { confirm, EmptyState, FormDialog, FormError, Icon, LinkButton, Menu, Notice, PageBody, PageHeader, Reading, Tabs, toast } from '../../ui'
import type { Tool } from './draft'
import { EditTool, ToolDefinition } from './definition'
import { t } from './messages'
import { Review } from './review'
import { Kind, State } from './status'
import { ToolVersions } from './versions'

export function ToolPage({ id, tab }: { id: string; tab: string }) {
  const tool = useQuery(`tools/${id}`, (signal) => ok(api.GET('/v1/tools/{tool_id}', { params: { path: { tool_id: id } }, signal })))
  const data = tool.data
  const changed = (to: Tool) => {
    invalidate('tools')
    tool.set(to)
  }
  if (!data) {
    return (
      <>
        <PageHeader title={t('tool')} crumb={{ to: '/tools', label: t('title') }} />
        <PageBody><Reading of={tool} gone={<Gone />} lines={6} tall /></PageBody>
      </>
    )
  }
  const parts = [
    { id: 'definition', label: t('definition') },
    ...(data.review ? [{ id: 'review', label: t('review') }] : []),
    { id: 'versions', label: t('versions') },
  ]
  const part = parts.find((p) => p.id === tab)?.id ?? 'definition'
  const path = `/tools/${id}`
  return (
    <>
      <PageHeader
        title={data.name}
        crumb={{ to: '/tools', label: t('title') }}
        badge={<><Kind kind={data.kind} />{data.review && <State review={data.review.status} />}</>}
        actions={may('tools.write') && <DeleteTool tool={data} />}
        tabs={<Tabs label={t('parts')} tabs={parts.map((p) => ({ to: p.id === 'definition' ? path : `${path}/${p.id}`, label: p.label, current: p.id === part }))} />}
      />
      <PageBody narrow={part === 'definition'}>
        {part === 'definition' && data.review && (
          <div class="above-table">
            <Notice tone={data.review.status === 'waiting' ? 'warn' : 'bad'} icon="alert" action={<LinkButton small to={`${path}/review`}>{t('compare')}</LinkButton>}>{t(data.review.status === 'waiting' ? 'changedText' : 'rejectedText')}</Notice>
          </div>
        )}
        {part === 'review' && data.review ? (
          <Review tool={data} review={data.review} onChange={changed} onStale={tool.reload} />
        ) : part === 'versions' ? (
          <ToolVersions tool={data} onChange={changed} />
        ) : may('tools.write') ? (
          <EditTool tool={data} onSaved={changed} />
        ) : (
          <div class="stacked">
            <Notice icon="eye">{t('readOnly')}</Notice>
            <ToolDefinition of={data} credentials={data.credentials} />
          </div>
        )}
      </PageBody>
    </>
  )
}

function Gone() {
  return (
    <EmptyState icon="tool" title={t('goneTitle')} action={<LinkButton to="/tools">{t('toTools')}</LinkButton>}>
      {t('goneText')}
    </EmptyState>
  )
}

function DeleteTool({ tool }: { tool: Tool }) {
  const [using, setUsing] = useState<Failure | null>(null)
  const remove = useAction(`tool.delete.${tool.id}`, async (operation, force: boolean) => {
    try {
      await ok(api.DELETE('/v1/tools/{tool_id}', { params: { path: { tool_id: tool.id }, query: force ? { force } : {} }, ...as(operation) }))
    } catch (thrown) {
      if ((thrown as Failure).code !== 'TOOL_IN_USE') throw thrown
      return setUsing(thrown as Failure)
    }
    toast(t('deleted', { name: tool.name }))
    await navigate('/tools', { force: true })
    invalidate('tools')
  })
  const ask = async () => {
    if (await confirm({ title: t('deleteTitle', { name: tool.name }), text: t('deleteText'), yes: t('delete'), danger: true })) await remove.run(false)
  }
  const details = using?.details as { bots?: { id: string; name: string }[]; more?: number } | null | undefined
  return (
    <>
      {!using && <FormError failure={remove.failure} />}
      <Menu label={t('more')} align="end" button={<Icon name="dots" />} groups={[{ items: [{ label: t('delete'), icon: 'trash', danger: true, onSelect: () => void ask() }] }]} />
      {using && (
        <FormDialog danger title={t('inUseTitle', { name: tool.name })} submit={t('deleteAnyway')} action={remove} onSubmit={() => void remove.run(true)} onClose={() => setUsing(null)}>
          <div class="stacked">
            <p>{t('inUseText')}</p>
            <ul class="list">
              {details?.bots?.map((bot) => (
                <li key={bot.id}>
                  <Link to={`/bots/${bot.id}/tools`}>
                    <b dir="auto">{bot.name}</b>
                  </Link>
                </li>
              ))}
            </ul>
            {!!details?.more && <p class="hint">{t('moreBots', { n: details.more })}</p>}
          </div>
        </FormDialog>
      )}
    </>
  )
}
