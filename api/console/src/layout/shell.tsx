import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { may } from '../api/permissions'
import { chooseWorkspace, here, me, signOut } from '../api/session'
import { language, languages, setLanguage } from '../i18n'
import { pages, type Page } from '../pages'
import { Link, match, navigate, route } from '../router'
import { setTheme, theme, type Theme } from '../state/theme'
import { ConfirmHost } from '../ui/dialog'
import { Icon, IconButton, Menu } from '../ui'
import { Toasts } from '../ui/toast'
import { t } from './messages'
import { NewWorkspace } from './workspace'

export const visible = (page: Page) => !page.permission || may(page.permission)
export const pageAt = (path: string) => {
  for (const page of pages) {
    for (const pattern of page.routes) {
      const params = match(pattern, path)
      if (params) return { page, params }
    }
  }
  return null
}

// Shell is what is around every page: the sidebar, or on narrow screens a bar with a menu.
export function Shell({ children }: { children: ComponentChildren }) {
  const [open, setOpen] = useState(false)
  const [making, setMaking] = useState(false)
  const path = route.value.path
  useEffect(() => setOpen(false), [path])
  useEffect(() => {
    if (!open) return
    const escape = (e: KeyboardEvent) => e.key === 'Escape' && setOpen(false)
    addEventListener('keydown', escape)
    return () => removeEventListener('keydown', escape)
  }, [open])
  return (
    <div class={`shell${open ? ' menu-open' : ''}`}>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), document.getElementById('main')?.focus())}>
        {t('skip')}
      </a>
      <header class="topbar">
        <IconButton icon="menu" label={t('menu')} aria-expanded={open} aria-controls="sidebar" onClick={() => setOpen(!open)} />
        <Brand />
      </header>
      {open && <div class="scrim" onClick={() => setOpen(false)} />}
      <aside class="sidebar" id="sidebar" aria-label={t('sidebar')}>
        <WorkspaceMenu onNew={() => setMaking(true)} />
        <Navigation path={path} />
        <AccountMenu />
      </aside>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      {making && <NewWorkspace onClose={() => setMaking(false)} />}
      <ConfirmHost />
      <Toasts />
    </div>
  )
}

export function Brand() {
  return (
    <span class="brand">
      <Mark /> Parley
    </span>
  )
}

export function Mark() {
  return (
    <svg class="mark" width="20" height="20" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path d="M7 4h18a4 4 0 0 1 4 4v11a4 4 0 0 1-4 4H15l-6.300 5.500c-.7.600-1.700.100-1.700-.800V23a4 4 0 0 1-4-4V8a4 4 0 0 1 4-4z" />
    </svg>
  )
}

function Navigation({ path }: { path: string }) {
  const current = pageAt(path)?.page
  const groups = [
    { id: 'home', title: '' },
    { id: 'build', title: t('groupBuild') },
    { id: 'run', title: t('groupRun') },
    { id: 'manage', title: t('groupManage') },
  ]
  return (
    <nav class="nav" aria-label={t('nav')}>
      {groups.map((group) => {
        const items = pages.filter((p) => p.group === group.id && visible(p))
        return (
          items.length > 0 && (
            <div key={group.id} class="nav-group">
              {group.title && <h2>{group.title}</h2>}
              <ul>
                {items.map((p) => (
                  <li key={p.id}>
                    <Link to={p.path} aria-current={p === current ? 'page' : undefined}>
                      <Icon name={p.icon} />
                      {t(p.id)}
                    </Link>
                  </li>
                ))}
              </ul>
            </div>
          )
        )
      })}
    </nav>
  )
}

function WorkspaceMenu({ onNew }: { onNew: () => void }) {
  const at = here.value
  const all = (me.value?.memberships ?? []).filter((m) => !m.deleted_at || m.role === 'owner')
  const name = at?.name ?? 'Parley'
  return (
    <Menu
      label={t('workspace')}
      class="switcher"
      button={
        <>
          <span class="monogram" aria-hidden="true">
            {Array.from(name)[0]?.toUpperCase()}
          </span>
          <span class="names">
            <b dir="auto">{name}</b>
            {at && <small>{t(at.role)}</small>}
          </span>
          <Icon name="chevron" size={14} />
        </>
      }
      groups={[
        {
          title: t('workspaces'),
          items: all.map((m) => ({
            label: m.deleted_at ? t('deletedName', { name: m.name }) : m.name,
            checked: m.workspace_id === at?.workspace_id,
            onSelect: async () => {
              if (m.workspace_id === at?.workspace_id) return
              await navigate('/')
              if (route.value.path === '/') chooseWorkspace(m.workspace_id)
            },
          })),
        },
        { items: [{ label: t('newWorkspace'), icon: 'plus', onSelect: onNew }] },
      ]}
    />
  )
}

function AccountMenu() {
  const email = me.value?.email ?? ''
  const themes: { id: Theme; icon: 'screen' | 'sun' | 'moon' }[] = [
    { id: 'system', icon: 'screen' },
    { id: 'light', icon: 'sun' },
    { id: 'dark', icon: 'moon' },
  ]
  return (
    <Menu
      label={t('account')}
      class="account"
      up
      button={
        <>
          <span class="avatar" aria-hidden="true">
            {email[0]?.toUpperCase()}
          </span>
          <span class="names">
            <span dir="auto">{email}</span>
          </span>
          <Icon name="dots" />
        </>
      }
      groups={[
        { title: t('theme'), items: themes.map(({ id, icon }) => ({ label: t(id), icon, checked: theme.value === id, onSelect: () => setTheme(id) })) },
        { title: t('language'), items: languages.map((l) => ({ label: l.name, checked: language.value === l.id, onSelect: () => setLanguage(l.id) })) },
        {
          items: [
            { label: t('accountSettings'), icon: 'gear', onSelect: () => void navigate('/settings/account') },
            { label: t('docs'), icon: 'book', onSelect: () => window.open('/docs', '_blank', 'noopener') },
            { label: t('signOut'), icon: 'out', onSelect: () => void leave() },
          ],
        },
      ]}
    />
  )
}

async function leave() {
  await navigate('/')
  if (route.value.path === '/') await signOut()
}
