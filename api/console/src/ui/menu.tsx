import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { Icon, type IconName } from './icon'

export interface MenuItem {
  label: string
  icon?: IconName
  checked?: boolean
  danger?: boolean
  disabled?: boolean
  hint?: string
  onSelect: () => void
}
export type MenuGroup = { title?: string; items: MenuItem[] }

interface MenuProps {
  label: string // names the menu, and the button; a button with a text has it before the text
  button: ComponentChildren
  groups: MenuGroup[]
  class?: string // of a button with a text
  align?: 'start' | 'end'
  up?: boolean
}

// Menu is a button that opens a list of actions. Arrow keys, Home, End, letters and Escape work in it.
export function Menu({ label, button, groups, class: className, align = 'start', up }: MenuProps) {
  const [open, setOpen] = useState(false)
  const root = useRef<HTMLDivElement>(null)
  const trigger = useRef<HTMLButtonElement>(null)
  const id = useId()
  const items = () => [...(root.current?.querySelectorAll<HTMLElement>('[role^=menuitem]:not([aria-disabled=true])') ?? [])]
  const close = (focus = true) => {
    setOpen(false)
    if (focus) trigger.current?.focus()
  }
  useEffect(() => {
    if (!open) return
    items()[0]?.focus()
    const outside = (e: Event) => {
      if (!root.current?.contains(e.target as Node)) close(false)
    }
    addEventListener('pointerdown', outside)
    return () => removeEventListener('pointerdown', outside)
  }, [open])

  const onKey = (e: KeyboardEvent) => {
    if (!open) {
      if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
        e.preventDefault()
        setOpen(true)
      }
      return
    }
    const all = items()
    const at = all.indexOf(document.activeElement as HTMLElement)
    const go = (i: number) => {
      e.preventDefault()
      all[(i + all.length) % all.length]?.focus()
    }
    if (e.key === 'Escape') {
      e.preventDefault()
      e.stopPropagation()
      close()
    } else if (e.key === 'Tab') close(false)
    else if (e.key === 'ArrowDown') go(at + 1)
    else if (e.key === 'ArrowUp') go(at - 1)
    else if (e.key === 'Home') go(0)
    else if (e.key === 'End') go(-1)
    else if (e.key.length === 1 && /\p{L}|\p{N}/u.test(e.key)) {
      const next = [...all.slice(at + 1), ...all].find((x) => x.textContent?.trim().toLowerCase().startsWith(e.key.toLowerCase()))
      next?.focus()
    }
  }

  return (
    <div class="menu-root" ref={root} onKeyDown={onKey}>
      <button ref={trigger} type="button" class={className ?? 'icon-button'} aria-haspopup="menu" aria-expanded={open} aria-controls={open ? id : undefined} aria-label={className ? undefined : label} onClick={() => setOpen(!open)}>
        {className && <span class="visually-hidden">{label} </span>}
        {button}
      </button>
      {open && (
        <div class={`menu ${align}${up ? ' up' : ''}`} role="menu" id={id} aria-label={label}>
          {groups.map((g, i) => (
            <div key={i} role="group" aria-label={g.title}>
              {g.title && (
                <div class="menu-title" aria-hidden="true">
                  {g.title}
                </div>
              )}
              {g.items.map((item) => (
                <button
                  type="button"
                  key={item.label}
                  role={item.checked === undefined ? 'menuitem' : 'menuitemradio'}
                  aria-checked={item.checked}
                  aria-disabled={item.disabled || undefined}
                  class={item.danger ? 'danger' : ''}
                  tabIndex={-1}
                  onClick={() => {
                    if (item.disabled) return
                    close()
                    item.onSelect()
                  }}
                >
                  {item.icon && <Icon name={item.icon} />}
                  <span dir="auto">{item.label}</span>
                  {item.hint && <small>{item.hint}</small>}
                  {item.checked && <Icon name="check" />}
                </button>
              ))}
            </div>
          ))}
        </div>
      )}
    </div>
  )
}
