import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useState } from 'preact/hooks'
import type { Failure } from '../api/errors'
import { IconButton } from './button'
import { Icon } from './icon'
import { t } from './messages'

interface FieldProps {
  label: ComponentChildren
  hint?: ComponentChildren
  error?: string | undefined
  optional?: boolean
  children: (attributes: { id: string; 'aria-describedby': string | undefined; 'aria-invalid': boolean | undefined }) => ComponentChildren
}

// Field is a label, a control, a hint and the error of the field.
export function Field({ label, hint, error, optional, children }: FieldProps) {
  const id = useId()
  const described = [error && `${id}-error`, hint && `${id}-hint`].filter(Boolean).join(' ') || undefined
  return (
    <div class={`field${error ? ' invalid' : ''}`}>
      <label for={id}>
        {label}
        {optional && <span class="optional"> {t('optional')}</span>}
      </label>
      {children({ id, 'aria-describedby': described, 'aria-invalid': error ? true : undefined })}
      {error && (
        <p class="field-error" id={`${id}-error`}>
          <Icon name="alert" size={14} />
          {error}
        </p>
      )}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  )
}

type Common = Omit<FieldProps, 'children'>
type TextProps = Common & { value: string; onInput: (to: string) => void; suffix?: ComponentChildren } & Omit<JSX.IntrinsicElements['input'], 'value' | 'onInput' | 'label'>

export function TextField({ label, hint, error, optional, value, onInput, ...rest }: TextProps) {
  return (
    <Field label={label} hint={hint} error={error} optional={optional ?? false}>
      {(attributes) => <input class="input" dir="auto" {...(rest as object)} {...attributes} value={value} onInput={(e) => onInput(e.currentTarget.value)} />}
    </Field>
  )
}

export function PasswordField({ label, hint, error, value, onInput, ...rest }: TextProps) {
  const [shown, setShown] = useState(false)
  return (
    <Field label={label} hint={hint} error={error}>
      {(attributes) => (
        <div class="with-button">
          <input class="input" {...(rest as object)} {...attributes} {...({ type: shown ? 'text' : 'password' } as object)} spellcheck={false} value={value} onInput={(e) => onInput(e.currentTarget.value)} />
          <IconButton small icon={shown ? 'eyeOff' : 'eye'} label={shown ? t('hidePassword') : t('showPassword')} aria-pressed={shown} onClick={() => setShown(!shown)} />
        </div>
      )}
    </Field>
  )
}

type AreaProps = Common & { value: string; onInput: (to: string) => void; grow?: boolean } & Omit<JSX.IntrinsicElements['textarea'], 'value' | 'onInput' | 'label'>

export function TextArea({ label, hint, error, optional, value, onInput, grow, ...rest }: AreaProps) {
  return (
    <Field label={label} hint={hint} error={error} optional={optional ?? false}>
      {(attributes) => (
        <textarea class={`input area${grow ? ' grow' : ''}`} dir="auto" {...(rest as object)} {...attributes} value={value} onInput={(e) => onInput(e.currentTarget.value)} />
      )}
    </Field>
  )
}

export interface Option {
  value: string
  label: string
}
type SelectProps = Common & { value: string; onChange: (to: string) => void; options: Option[] } & Omit<JSX.IntrinsicElements['select'], 'value' | 'onChange' | 'label'>

export function Select({ label, hint, error, optional, value, onChange, options, ...rest }: SelectProps) {
  return (
    <Field label={label} hint={hint} error={error} optional={optional ?? false}>
      {(attributes) => (
        <div class="select">
          <select class="input" {...(rest as object)} {...attributes} value={value} onChange={(e) => onChange(e.currentTarget.value)}>
            {options.map((o) => (
              <option key={o.value} value={o.value} selected={o.value === value}>
                {o.label}
              </option>
            ))}
          </select>
          <Icon name="chevron" />
        </div>
      )}
    </Field>
  )
}

export function Checkbox({ label, hint, checked, onChange, disabled }: { label: ComponentChildren; hint?: ComponentChildren; checked: boolean; onChange: (to: boolean) => void; disabled?: boolean }) {
  const id = useId()
  return (
    <div class="check">
      <input type="checkbox" id={id} checked={checked} disabled={disabled ?? false} onChange={(e) => onChange(e.currentTarget.checked)} aria-describedby={hint ? `${id}-hint` : undefined} />
      <label for={id}>{label}</label>
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  )
}

export function SearchField({ value, onInput, label }: { value: string; onInput: (to: string) => void; label: string }) {
  return (
    <div class="search">
      <Icon name="search" />
      <input class="input" type="search" dir="auto" maxLength={200} value={value} placeholder={label} aria-label={label} onInput={(e) => onInput(e.currentTarget.value)} />
    </div>
  )
}

// fieldError returns the error of a field of a call that failed. Errors of parts of the field count as its own.
export function fieldError(failure: Failure | null, field: string): string | undefined {
  if (!failure) return undefined
  const fields = failure.fields
  const key = Object.keys(fields).find((k) => k === field || k.startsWith(`${field}.`) || k.startsWith(`${field}[`))
  return key === undefined ? undefined : fields[key]
}

// useShowProblem leads to the first field with an error, or else to what says why nothing was saved.
export function useShowProblem(within: { current: HTMLElement | null }, problem: unknown) {
  useEffect(() => {
    if (!problem) return
    const field = within.current?.querySelector<HTMLElement>('.invalid .input')
    if (field) field.focus()
    else within.current?.querySelector('[role=alert]')?.scrollIntoView({ block: 'center' })
  }, [problem])
}
