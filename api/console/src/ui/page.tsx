import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { Link } from '../router'
import { Icon } from './icon'

interface HeaderProps {
  title: string
  crumb?: { to: string; label: string }
  badge?: ComponentChildren
  actions?: ComponentChildren
  tabs?: ComponentChildren
}

// PageHeader is the head of a page: where it is, its name, what may be done. It names the tab of the browser too.
export function PageHeader({ title, crumb, badge, actions, tabs }: HeaderProps) {
  useEffect(() => {
    document.title = `${title} · Parley`
  }, [title])
  return (
    <header class={`page-header${tabs ? ' has-tabs' : ''}`}>
      <div class="page-title">
        {crumb && (
          <span class="crumbs">
            <Link to={crumb.to} class="crumb">
              <bdi>{crumb.label}</bdi>
            </Link>
            <Icon name="right" size={14} />
          </span>
        )}
        <h1 dir="auto">{title}</h1>
        {badge}
        <div class="page-actions">{actions}</div>
      </div>
      {tabs}
    </header>
  )
}

// PageBody is the rest of a page. narrow: as wide as is good for forms and texts.
export function PageBody({ children, narrow, full }: { children: ComponentChildren; narrow?: boolean; full?: boolean }) {
  return <div class={`page-body${narrow ? ' narrow' : ''}${full ? ' full' : ''}`}>{children}</div>
}

export function Section({ title, hint, actions, children }: { title: string; hint?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren }) {
  return (
    <section class="section">
      <header>
        <div>
          <h2>{title}</h2>
          {hint && <p class="hint">{hint}</p>}
        </div>
        {actions && <div class="page-actions">{actions}</div>}
      </header>
      {children}
    </section>
  )
}
