import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Link } from '../router'
import { Icon, type IconName } from './icon'
import { t } from './messages'
import { toast } from './toast'

type Kind = 'primary' | 'plain' | 'quiet' | 'danger' | 'quiet-danger'
interface Look {
  kind?: Kind
  small?: boolean
  icon?: IconName
  busy?: boolean
  children?: ComponentChildren
}

const classes = ({ kind = 'plain', small, busy }: Look) => `button ${kind}${small ? ' small' : ''}${busy ? ' busy' : ''}`

type ButtonProps = Look & Omit<JSX.IntrinsicElements['button'], 'icon' | 'kind' | 'size'>

// Button is a button. While busy it stays focused and does nothing.
export function Button({ kind, small, icon, busy, children, onClick, disabled, type = 'button', ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      class={classes({ kind, small, busy } as Look) + (rest.class ? ` ${String(rest.class)}` : '')}
      disabled={disabled}
      aria-busy={busy || undefined}
      onClick={(e) => {
        if (busy) e.preventDefault()
        else onClick?.(e)
      }}
    >
      {busy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children && <span class="label">{children}</span>}
    </button>
  )
}

// LinkButton is a link that looks like a button.
export function LinkButton({ to, kind, small, icon, children }: Look & { to: string }) {
  return (
    <Link to={to} class={classes({ kind, small } as Look)}>
      {icon && <Icon name={icon} />}
      <span class="label">{children}</span>
    </Link>
  )
}

// IconButton is a button with an icon alone; label is its name.
export function IconButton({ label, icon, small, ...rest }: { label: string; icon: IconName; small?: boolean } & Omit<JSX.IntrinsicElements['button'], 'icon' | 'label'>) {
  return (
    <button type="button" {...rest} class={`icon-button${small ? ' small' : ''} ${String(rest.class ?? '')}`} aria-label={label} title={label}>
      <Icon name={icon} />
    </button>
  )
}

// copyText copies a text, also on pages that are served by plain HTTP.
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const area = document.createElement('textarea')
    area.value = text
    area.setAttribute('aria-hidden', 'true')
    area.className = 'visually-hidden'
    const parent = document.querySelector('dialog[open]') ?? document.body
    parent.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}

export function CopyButton({ text, label, children, small = true }: { text: string | (() => string); label?: string; children?: ComponentChildren; small?: boolean }) {
  const [copied, setCopied] = useState(false)
  const timer = useRef(0)
  useEffect(() => () => clearTimeout(timer.current), [])
  const copy = async (e: MouseEvent) => {
    const button = e.currentTarget as HTMLElement
    if (!(await copyText(typeof text === 'function' ? text() : text))) return toast(t('copyFailed'), 'bad')
    button.focus()
    setCopied(true)
    clearTimeout(timer.current)
    timer.current = window.setTimeout(() => setCopied(false), 1600)
  }
  const name = copied ? t('copied') : (label ?? t('copy'))
  return children ? (
    <Button kind="quiet" small={small} icon={copied ? 'check' : 'copy'} onClick={copy} aria-live="polite">
      {copied ? t('copied') : children}
    </Button>
  ) : (
    <IconButton small={small} label={name} icon={copied ? 'check' : 'copy'} onClick={copy} />
  )
}
