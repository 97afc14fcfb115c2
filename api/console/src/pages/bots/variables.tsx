// Values for the variables that the instruction of a bot has.
import { useState } from 'preact/hooks'
import { api, ok, type Schemas } from '../../api/client'
import { useQuery } from '../../api/hooks'
import { number } from '../../i18n'
import { read, write } from '../../state/storage'
import { Icon, TextField } from '../../ui'
import type { BotDetail } from './bot'
import { t } from './messages'

type Variable = Schemas['BotVariable']
export type Values = Record<string, string>

// useVariables returns what a version declares, none while that is read.
export function useVariables(bot: BotDetail, version: number): Variable[] {
  const newest = version === bot.current_version
  const path = { bot_id: bot.id, version }
  const read = useQuery(newest ? null : `bots/${bot.id}/versions/${version}`, (signal) => ok(api.GET('/v1/bots/{bot_id}/versions/{version}', { params: { path }, signal })))
  const declared = (newest ? bot.settings : read.data?.settings)?.variables
  return Array.isArray(declared) ? (declared as Variable[]) : []
}

// valuesFor returns the values that differ from the defaults, of declared variables only: the API refuses others.
export const valuesFor = (declared: Variable[], values: Values): Values => Object.fromEntries(declared.flatMap((v) => (values[v.name] ? [[v.name, values[v.name]!]] : [])))

export function useValues(bot: string): [Values, (to: Values) => void] {
  const slot = `playground.${bot}.variables`
  const [values, setValues] = useState<Values>(() => JSON.parse(read(sessionStorage, slot) ?? '{}') as Values)
  return [values, (to) => (setValues(to), write(sessionStorage, slot, JSON.stringify(to)))]
}

// VariablesForm asks for the values of variables; an empty one has its default.
export function VariablesForm({ declared, values, onChange }: { declared: Variable[]; values: Values; onChange: (to: Values) => void }) {
  if (!declared.length) return null
  const set = Object.keys(valuesFor(declared, values)).length
  return (
    <details class="variables">
      <summary>
        <Icon name="right" size={14} /> {t('variables')} <small>{t('variablesSet', { set: number(set), all: number(declared.length) })}</small>
      </summary>
      <div class="variables-form">
        <p class="hint">{t('variablesHint')}</p>
        <div class="fields">
          {declared.map((v) => (
            <TextField key={v.name} label={<code>{v.name}</code>} hint={v.description && <span dir="auto">{v.description}</span>} placeholder={v.default} maxLength={2000} value={values[v.name] ?? ''} onInput={(to) => onChange({ ...values, [v.name]: to })} />
          ))}
        </div>
      </div>
    </details>
  )
}
