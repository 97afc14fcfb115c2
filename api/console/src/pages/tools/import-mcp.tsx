import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { Button, fieldError, FormError, Notice, PageBody, TextField, useSecretForm } from '../../ui'
import { Candidates, Made } from './candidates'
import { CredentialsFields, credentialsOf, noCredentials } from './credentials'
import { ImportHeader } from './import'
import { t } from './messages'

export function ImportMCP() {
  const [{ url, prefix, credentials }, set, edited] = useSecretForm({ url: '', prefix: '', credentials: noCredentials })
  const [found, setFound] = useState<{ edited: number; body: Schemas['ImportMcpToolsRequest']; list: Schemas['McpCandidate'][] } | null>(null)
  const [chosen, choose] = useState<string[]>([])
  const [made, setMade] = useState<Schemas['Tool'][] | null>(null)
  const given = credentialsOf(credentials)
  const body: Schemas['ImportMcpToolsRequest'] = { url: url.trim(), ...(prefix.trim() && { prefix: prefix.trim() }), ...(given && { credentials: given }) }
  const look = useAction('tools.mcp.list', async (operation, edited: number) => {
    setFound({ edited, body, list: (await ok(api.POST('/v1/tools/import-mcp', { body, ...as(operation) }))).candidates })
    make.clear()
  })
  const make = useAction('tools.mcp', async (operation, _edited: number, tools: string[]) => {
    if (found) setMade((await ok(api.POST('/v1/tools/import-mcp', { body: { ...found.body, tools }, ...as(operation) }))).tools)
    invalidate('tools')
  })
  const list = found?.edited === edited ? found.list : null // what was edited meanwhile is looked up anew
  const failure = make.failure ?? look.failure
  return (
    <>
      <ImportHeader from="mcp" />
      <PageBody narrow>
        {!may('tools.write') ? (
          <Notice icon="eye">{t('readOnly')}</Notice>
        ) : made ? (
          <Made tools={made} onMore={() => (setMade(null), setFound(null), choose([]))} />
        ) : (
          <>
            <form class="tool-form" onSubmit={(e) => (e.preventDefault(), void look.run(edited))}>
              <FormError failure={look.failure} onRetry={() => void look.run(edited)} />
              <p class="lead">{t('mcpImportText')}</p>
              <TextField label={t('serverURL')} class="input mono" type="url" dir="ltr" required maxLength={2000} placeholder="https://mcp.example.com/mcp" hint={t('serverURLHint')} value={url} onInput={(url) => set({ url })} error={fieldError(failure, 'url')} />
              <CredentialsFields draft={credentials} set={(credentials) => set({ credentials })} failure={failure} />
              <TextField label={t('prefix')} optional class="input mono" dir="ltr" placeholder="shop_" maxLength={32} spellcheck={false} hint={t('prefixHint')} value={prefix} onInput={(prefix) => set({ prefix })} error={fieldError(failure, 'prefix')} />
              <div>
                <Button kind={list ? 'plain' : 'primary'} type="submit" busy={look.pending}>{t('lookMCP')}</Button>
              </div>
            </form>
            {list && (
              <Candidates
                list={list.map((c) => ({ ...c, id: c.remote_name, target: c.remote_name }))} chosen={chosen} busy={make.pending} failure={make.failure} error={fieldError(make.failure, 'tools')}
                onChoose={choose} onMake={() => void make.run(edited, list.filter((c) => !c.problem && chosen.includes(c.remote_name)).map((c) => c.remote_name))}
              />
            )}
          </>
        )}
      </PageBody>
    </>
  )
}
