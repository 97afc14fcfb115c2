import { useState } from 'preact/hooks'
import { Button, Icon, IconButton, Segments, TextArea } from '../../ui'
import { t } from './messages'
import { newRow, parse, rowsOf, schemaOf, types, type Row } from './schema'

interface Props {
  text: string
  error: string | undefined
  onChange: (to: string) => void
}

// Arguments edits the schema of the arguments: as rows, or as JSON where it has more than rows show.
export function Arguments({ text, error, onChange }: Props) {
  const parsed = parse(text)
  const schema = 'schema' in parsed ? parsed.schema : null
  const [rows, setRows] = useState<Row[] | null>(() => schema && rowsOf(schema))
  const [asJSON, setAsJSON] = useState(!rows)
  const change = (to: Row[]) => {
    setRows(to)
    onChange(JSON.stringify(schemaOf(schema ?? {}, to), null, 2))
  }
  const show = (json: boolean) => {
    const found = schema && rowsOf(schema)
    if (!json) setRows(found)
    setAsJSON(json)
  }
  const problem = 'line' in parsed ? (parsed.line ? t('notJSON', { line: parsed.line }) : t('notObject')) : undefined
  return (
    <div class="arguments">
      <div class="arguments-head">
        <h2>{t('arguments')}</h2>
        <Segments label={t('editAs')} value={asJSON ? 'json' : 'rows'} options={[{ value: 'rows', label: t('asRows') }, { value: 'json', label: 'JSON' }]} onChange={(to) => show(to === 'json')} />
      </div>
      {asJSON ? (
        <>
          <TextArea label={t('schema')} class="input area mono" dir="ltr" rows={14} spellcheck={false} hint={t('schemaHint')} value={text} onInput={onChange} error={problem ?? error} />
          {schema && (
            <div>
              <Button small kind="quiet" onClick={() => onChange(JSON.stringify(schema, null, 2))}>{t('format')}</Button>
            </div>
          )}
        </>
      ) : rows ? (
        <Rows rows={rows} error={error} onChange={change} />
      ) : (
        <p class="hint">{t('onlyJSON')}</p>
      )}
    </div>
  )
}

function Rows({ rows, error, onChange }: { rows: Row[]; error: string | undefined; onChange: (to: Row[]) => void }) {
  const set = (key: number, part: Partial<Row>) => onChange(rows.map((row) => (row.key === key ? { ...row, ...part } : row)))
  const remove = (i: number, list: HTMLElement | null | undefined) => {
    onChange(rows.filter((_, j) => j !== i))
    list?.parentElement?.querySelector<HTMLElement>('.add-argument')?.focus()
  }
  return (
    <>
      {error && (
        <p class="field-error" role="alert">
          <Icon name="alert" size={14} />
          {error}
        </p>
      )}
      {rows.length > 0 && (
        <ol class="argument-rows" aria-label={t('arguments')}>
          {rows.map((row, i) => {
            const of = row.name || t('nth', { n: i + 1 })
            const twice = rows.some((other, j) => j < i && other.name.trim() === row.name.trim() && row.name.trim() !== '')
            return (
              <li key={row.key}>
                <input
                  class="input mono" dir="ltr" required maxLength={64} spellcheck={false} autocomplete="off" placeholder={t('argumentName')} aria-label={t('argumentNameOf', { name: of })} aria-invalid={twice || undefined}
                  value={row.name} onInput={(e) => set(row.key, { name: e.currentTarget.value })} ref={(input) => input?.setCustomValidity(twice ? t('nameTwice') : '')}
                />
                <div class="select">
                  <select class="input" aria-label={t('typeOf', { name: of })} value={row.type} onChange={(e) => set(row.key, { type: e.currentTarget.value })}>
                    {types.map((type) => <option key={type} value={type}>{t(`type_${type}` as 'type_string')}</option>)}
                    {row.type === '' && <option value="">{t('type_other')}</option>}
                  </select>
                  <Icon name="chevron" />
                </div>
                <input class="input" dir="auto" maxLength={1000} placeholder={t('argumentText')} aria-label={t('argumentTextOf', { name: of })} value={row.description} onInput={(e) => set(row.key, { description: e.currentTarget.value })} />
                <label class="required">
                  <input type="checkbox" checked={row.required} aria-label={t('requiredOf', { name: of })} onChange={(e) => set(row.key, { required: e.currentTarget.checked })} />
                  <span aria-hidden="true">{t('required')}</span>
                </label>
                <IconButton small icon="trash" label={t('removeArgument', { name: of })} onClick={(e) => remove(i, e.currentTarget.closest('ol'))} />
                {twice && <p class="field-error">{t('nameTwice')}</p>}
              </li>
            )
          })}
        </ol>
      )}
      {!rows.length && <p class="hint">{t('noArguments')}</p>}
      <div>
        <Button small icon="plus" class="add-argument" onClick={() => onChange([...rows, newRow()])}>{t('addArgument')}</Button>
      </div>
    </>
  )
}
