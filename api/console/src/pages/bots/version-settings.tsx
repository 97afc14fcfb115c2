// The settings of a version as names and values, and what differs between those of two. JSON is shown of what is a schema alone.
import { Fragment, type ComponentChildren } from 'preact'
import { api, ok, type Schemas } from '../../api/client'
import { useQuery } from '../../api/hooks'
import { listed } from '../../api/lists'
import { may } from '../../api/permissions'
import { number } from '../../i18n'
import { Code, compareLines, Diff } from '../../ui'
import { t } from './messages'
import type { Settings } from './settings'

// Setting is one row: a setting, or one of the tools, knowledge bases, variables or own data that a setting has.
interface Setting {
  key: string
  name: ComponentChildren
  value: unknown
  shown: ComponentChildren
}

interface Names {
  tools: Map<string, string> | null // null: not known
  allTools: boolean // a tool that is not among them was deleted
  bases: Map<string, string> | null
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const pretty = (value: unknown) => (value === undefined ? '' : JSON.stringify(value, null, 2))

// print returns the same text for the same value, in whichever order its keys are.
const print = (value: unknown) => JSON.stringify(value, (_, v: unknown) => (isObject(v) ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1))) : v)) ?? ''

// useNames returns the names of tools and knowledge bases that settings have by id.
function useNames(all: Settings[]): Names {
  const has = (key: string) => all.some((s) => Array.isArray(s[key]) && s[key].length > 0)
  const tools = useQuery(has('tools') && may('tools.read') ? 'tools names' : null, (signal) => listed((cursor) => ok(api.GET('/v1/tools', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal }))))
  const bases = useQuery(has('knowledge') && may('knowledge.read') ? 'knowledge-bases?first' : null, (signal) => ok(api.GET('/v1/knowledge-bases', { params: { query: { limit: 100 } }, signal })))
  const named = (items: { id: string; name: string }[] | undefined) => (items ? new Map(items.map((x) => [x.id, x.name])) : null)
  return { tools: named(tools.data?.items), allTools: !!tools.data?.complete, bases: named(bases.data?.items) }
}

// Plain shows a value of whichever form.
function Plain({ value }: { value: unknown }) {
  if (value === null || value === undefined || value === '') return <>—</>
  if (typeof value === 'number') return <>{number(value)}</>
  if (typeof value === 'boolean') return <>{t(value ? 'yes' : 'no')}</>
  if (Array.isArray(value)) return value.length ? <ul class="setting-parts">{value.map((v, i) => <li key={i}><Plain value={v} /></li>)}</ul> : <>—</>
  if (isObject(value)) return <Parts parts={Object.entries(value).map(([name, v]) => [<code>{name}</code>, <Plain value={v} />])} />
  return <span class="setting-text" dir="auto">{String(value)}</span>
}

type Part = readonly [ComponentChildren, ComponentChildren] | false | undefined

const Parts = ({ parts }: { parts: Part[] }) => (
  <ul class="setting-parts">
    {parts.map((part, i) => part && <li key={i}><span class="hint">{part[0]}:</span> {part[1]}</li>)}
  </ul>
)

function Named({ title, id, names }: { title: string; id: string; names: Map<string, string> | null }) {
  const name = names?.get(id)
  return <>{title} {name === undefined ? <code title={id}>…{id.slice(-6)}</code> : <bdi>{name}</bdi>}</>
}

function toolOf(value: unknown, names: Names): Omit<Setting, 'value'> | null {
  if (!isObject(value) || typeof value.id !== 'string') return null
  const used = value as Schemas['BotTool']
  const approval = used.approval ?? 'writes'
  const known = approval === 'writes' || approval === 'always' || approval === 'never'
  return {
    key: `tools.${used.id}`,
    name: <Named title={t(names.allTools && !names.tools?.has(used.id) ? 'goneTool' : 'tool')} id={used.id} names={names.tools} />,
    shown: <Parts parts={[[t('toolVersion'), used.version ? t('toolPinned', { version: `v${used.version}` }) : t('alwaysNewest')], [t('approval'), known ? t(`approval_${approval}`) : <Plain value={approval} />]]} />,
  }
}

const baseOptions = ['top_k', 'min_score', 'mode', 'filter', 'rerank']

function baseOf(value: unknown, names: Names): Omit<Setting, 'value'> | null {
  if (!isObject(value) || typeof value.id !== 'string') return null
  const { id, ...options } = value
  const modes = { hybrid: 'mode_hybrid', lexical: 'mode_lexical', vector: 'mode_vector' } as const
  const place = ([key]: [string, unknown]) => baseOptions.indexOf(key) + 1 || baseOptions.length + 1
  const parts = Object.entries(options).sort((a, b) => place(a) - place(b)).map(([key, v]): Part => {
    const mode = key === 'mode' && typeof v === 'string' && v in modes ? modes[v as keyof typeof modes] : null
    return [key === 'top_k' || key === 'min_score' || key === 'mode' || key === 'filter' || key === 'rerank' ? t(`base_${key}`) : <code>{key}</code>, mode ? t(mode) : <Plain value={v} />]
  })
  return { key: `knowledge.${id}`, name: <Named title={t('base')} id={String(id)} names={names.bases} />, shown: parts.length ? <Parts parts={parts} /> : t('usedAsIs') }
}

function variableOf(value: unknown): Omit<Setting, 'value'> | null {
  if (!isObject(value) || typeof value.name !== 'string') return null
  return {
    key: `variables.${value.name}`,
    name: <>{t('variable')} <code>{value.name}</code></>,
    shown: <Parts parts={[[t('variableDefault'), <Plain value={value.default} />], !!value.description && [t('variableFor'), <Plain value={value.description} />]]} />,
  }
}

// order is that of the editor, then that of the reference.
const order = ['model', 'fallbacks', 'temperature', 'max_output_tokens', 'history_limit', 'language', 'request_parameters', 'tools', 'tool_choice', 'max_tool_calls', 'max_steps', 'knowledge', 'knowledge_mode', 'rewrite', 'no_knowledge', 'no_knowledge_text', 'variables', 'output_schema', 'metadata']
const titles = {
  model: 'model', fallbacks: 'fallbacks', temperature: 'temperature', max_output_tokens: 'maxTokens', history_limit: 'history', language: 'language', request_parameters: 'requestParameters', tools: 'tools', tool_choice: 'toolChoice', max_tool_calls: 'maxToolCalls', max_steps: 'maxSteps',
  knowledge: 'knowledge', knowledge_mode: 'knowledgeMode', rewrite: 'rewrite', no_knowledge: 'whenNothing', no_knowledge_text: 'nothingText', variables: 'variables', output_schema: 'outputSchema', metadata: 'metadata',
} as const
const choices = {
  'tool_choice auto': 'choice_auto', 'tool_choice required': 'choice_required', 'tool_choice none': 'choice_none', 'knowledge_mode always': 'knowledge_always', 'knowledge_mode tool': 'knowledge_tool', 'no_knowledge answer': 'nothing_answer', 'no_knowledge refuse': 'nothing_refuse',
} as const

// settingsIn returns the rows of settings. Settings of old versions can have any form.
function settingsIn(settings: Settings, names: Names): Setting[] {
  const known = order.filter((key) => key in settings)
  const rows = [...known, ...Object.keys(settings).filter((key) => !order.includes(key)).sort()].flatMap((key): Setting[] => {
    const value = settings[key]
    const title = key in titles ? t(titles[key as keyof typeof titles]) : null
    const whole = { key, name: title ?? <code>{key}</code>, value, shown: <Plain value={value} /> }
    if (key === 'metadata' && isObject(value) && Object.keys(value).length) {
      return Object.entries(value).map(([name, v]) => ({ key: `metadata.${name}`, name: <>{title} <code>{name}</code></>, value: v, shown: <Plain value={v} /> }))
    }
    const items = Array.isArray(value) && (key === 'tools' || key === 'knowledge' || key === 'variables') ? value : null
    if (items?.length) {
      return items.map((item, i) => ({ ...((key === 'tools' ? toolOf(item, names) : key === 'knowledge' ? baseOf(item, names) : variableOf(item)) ?? { ...whole, key: `${key}.${i}`, shown: <Plain value={item} /> }), value: item as unknown }))
    }
    if (key === 'output_schema' && isObject(value)) return [{ ...whole, shown: <Code label={t('outputSchema')} text={pretty(value)} /> }]
    const choice = `${key} ${String(value)}`
    return [choice in choices ? { ...whole, shown: t(choices[choice as keyof typeof choices]) } : whole]
  })
  return [...new Map(rows.map((row) => [row.key, row])).values()]
}

// SettingsList shows all settings of a version.
export function SettingsList({ settings }: { settings: Settings }) {
  const rows = settingsIn(settings, useNames([settings]))
  if (!rows.length) return null
  return (
    <>
      <h3 class="spaced">{t('settings')}</h3>
      <dl class="setting-list">
        {rows.map((row) => (
          <Fragment key={row.key}>
            <dt>{row.name}</dt>
            <dd>{row.shown}</dd>
          </Fragment>
        ))}
      </dl>
    </>
  )
}

// SettingsChanges has a row for each setting that differs, as it was and as it is.
export function SettingsChanges({ before, after }: { before: Settings; after: Settings }) {
  const names = useNames([before, after])
  const [old, fresh] = [before, after].map((s) => new Map(settingsIn(s, names).map((row) => [row.key, row]))) as [Map<string, Setting>, Map<string, Setting>]
  const place = (key: string) => order.indexOf(key.split('.')[0]!) + 1 || order.length + 1
  const changed = [...new Set([...old.keys(), ...fresh.keys()])].filter((key) => print(old.get(key)?.value) !== print(fresh.get(key)?.value)).sort((a, b) => place(a) - place(b))
  if (!changed.length) return null
  return (
    <>
      <h3 class="spaced" id="setting-changes">{t('settings')}</h3>
      <table class="setting-changes" aria-labelledby="setting-changes">
        <thead>
          <tr>
            <th scope="col">{t('setting')}</th>
            <th scope="col">{t('before')}</th>
            <th scope="col">{t('after')}</th>
          </tr>
        </thead>
        <tbody>
          {changed.map((key) => {
            const [was, is] = [old.get(key), fresh.get(key)]
            return (
              <tr key={key}>
                <th scope="row">{(is ?? was)!.name}</th>
                {key === 'output_schema' && was && is ? (
                  <td colSpan={2}><Diff label={t('outputSchema')} lines={compareLines(pretty(was.value), pretty(is.value))} /></td>
                ) : (
                  <>
                    <td data-label={t('before')}>{was ? was.shown : '—'}</td>
                    <td data-label={t('after')}>{is ? is.shown : '—'}</td>
                  </>
                )}
              </tr>
            )
          })}
        </tbody>
      </table>
    </>
  )
}
