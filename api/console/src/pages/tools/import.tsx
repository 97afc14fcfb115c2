import { useRef, useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { invalidate, useAction } from '../../api/hooks'
import { as } from '../../api/operation'
import { may } from '../../api/permissions'
import { Button, fieldError, FormError, Notice, PageBody, PageHeader, Tabs, TextArea, TextField } from '../../ui'
import { Candidates, Made } from './candidates'
import { t } from './messages'

// ImportHeader is the head of both pages of imports.
export function ImportHeader({ from }: { from: 'openapi' | 'mcp' }) {
  const tabs = [
    { to: '/tools/import', label: t('openAPI'), current: from === 'openapi' },
    { to: '/tools/import/mcp', label: t('mcpServer'), current: from === 'mcp' },
  ]
  return <PageHeader title={t('importTitle')} crumb={{ to: '/tools', label: t('title') }} tabs={<Tabs label={t('importTitle')} tabs={tabs} />} />
}

export function ImportOpenAPI() {
  const [text, setText] = useState('')
  const [base, setBase] = useState('')
  const [prefix, setPrefix] = useState('')
  const [found, setFound] = useState<{ body: Schemas['ImportToolsRequest']; list: Schemas['ImportCandidate'][] } | null>(null)
  const [chosen, choose] = useState<string[]>([])
  const [made, setMade] = useState<Schemas['Tool'][] | null>(null)
  const file = useRef<HTMLInputElement>(null)
  const body: Schemas['ImportToolsRequest'] = { document: text, ...(base.trim() && { base_url: base.trim() }), ...(prefix.trim() && { prefix: prefix.trim() }) }
  const look = useAction('tools.import.list', async (operation, body: Schemas['ImportToolsRequest']) => {
    setFound({ body, list: (await ok(api.POST('/v1/tools/import', { body, ...as(operation) }))).candidates })
    make.clear()
  })
  const make = useAction('tools.import', async (operation, body: Schemas['ImportToolsRequest']) => {
    setMade((await ok(api.POST('/v1/tools/import', { body, ...as(operation) }))).tools)
    invalidate('tools')
  })
  const list = found && JSON.stringify(found.body) === JSON.stringify(body) ? found.list : null // what was edited meanwhile is looked up anew
  const failure = make.failure ?? look.failure
  return (
    <>
      <ImportHeader from="openapi" />
      <PageBody narrow>
        {!may('tools.write') ? (
          <Notice icon="eye">{t('readOnly')}</Notice>
        ) : made ? (
          <Made tools={made} onMore={() => (setMade(null), setFound(null), choose([]))}>
            <Notice icon="key">{t('importedCredentials')}</Notice>
          </Made>
        ) : (
          <>
            <form class="tool-form" onSubmit={(e) => (e.preventDefault(), void look.run(body))}>
              <FormError failure={look.failure} onRetry={() => void look.run(body)} />
              <p class="lead">{t('openAPIText')}</p>
              <TextArea label={t('document')} class="input area mono" dir="ltr" rows={10} required spellcheck={false} placeholder={'openapi: 3.1.0\ninfo: …'} hint={t('documentHint')} value={text} onInput={setText} error={fieldError(failure, 'document')} />
              <div>
                <Button small icon="file" onClick={() => file.current?.click()}>{t('chooseFile')}</Button>
                <input
                  ref={file} type="file" class="visually-hidden" tabIndex={-1} aria-label={t('chooseFile')} accept=".json,.yaml,.yml,application/json"
                  onChange={async (e) => {
                    const input = e.currentTarget
                    const [from] = input.files ?? []
                    if (from) setText(await from.text())
                    input.value = ''
                  }}
                />
              </div>
              <div class="fields">
                <TextField label={t('baseURL')} optional type="url" dir="ltr" placeholder="https://" maxLength={2000} hint={t('baseURLHint')} value={base} onInput={setBase} error={fieldError(failure, 'base_url')} />
                <TextField label={t('prefix')} optional class="input mono" dir="ltr" placeholder="shop_" maxLength={32} spellcheck={false} hint={t('prefixHint')} value={prefix} onInput={setPrefix} error={fieldError(failure, 'prefix')} />
              </div>
              <div>
                <Button kind={list ? 'plain' : 'primary'} type="submit" busy={look.pending}>{t('look')}</Button>
              </div>
            </form>
            {list && (
              <Candidates
                list={list.map((c) => ({ ...c, id: c.operation_id, target: `${c.method} ${c.url}` }))} chosen={chosen} busy={make.pending} failure={make.failure} error={fieldError(make.failure, 'operations')}
                onChoose={choose} onMake={() => void make.run({ ...body, operations: list.filter((c) => !c.problem && chosen.includes(c.operation_id)).map((c) => c.operation_id) })}
              />
            )}
          </>
        )}
      </PageBody>
    </>
  )
}
