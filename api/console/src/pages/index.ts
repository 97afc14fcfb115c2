// The pages. README.md says how to add one.
import type { FunctionComponent } from 'preact'
import type { IconName } from '../ui/icon'

export interface PageProps {
  params: Record<string, string>
}

export interface Page {
  id: 'home' | 'bots' | 'conversations' | 'knowledge' | 'tools' | 'channels' | 'work' | 'usage' | 'audit' | 'people' | 'settings' // also the key of its name in layout/messages.ts
  icon: IconName
  group: 'home' | 'build' | 'run' | 'manage'
  path: string // in the sidebar
  routes: string[] // patterns of all its addresses; :name is a parameter, :name? one that may be missing
  permission?: string // that is needed to read it
  load: () => Promise<{ default: FunctionComponent<PageProps> }>
}

export const pages: Page[] = [
  { id: 'home', icon: 'home', group: 'home', path: '/', routes: ['/'], load: () => import('./home') },
  { id: 'bots', icon: 'bot', group: 'build', path: '/bots', routes: ['/bots', '/bots/:bot/:tab?'], permission: 'bots.read', load: () => import('./bots') },
  { id: 'knowledge', icon: 'book', group: 'build', path: '/knowledge', routes: ['/knowledge', '/knowledge/:base/:document?'], permission: 'knowledge.read', load: () => import('./knowledge') },
  { id: 'tools', icon: 'tool', group: 'build', path: '/tools', routes: ['/tools', '/tools/:tool/:tab?'], permission: 'tools.read', load: () => import('./tools') },
  { id: 'conversations', icon: 'chat', group: 'run', path: '/conversations', routes: ['/conversations', '/conversations/:thread'], permission: 'threads.read', load: () => import('./conversations') },
  { id: 'channels', icon: 'plug', group: 'run', path: '/channels', routes: ['/channels/:tab?/:id?'], permission: 'webhooks.read', load: () => import('./channels') },
  { id: 'work', icon: 'work', group: 'run', path: '/work', routes: ['/work/:tab?/:id?'], permission: 'tool_calls.read', load: () => import('./work') },
  { id: 'usage', icon: 'chart', group: 'run', path: '/usage', routes: ['/usage'], permission: 'usage.read', load: () => import('./usage') },
  { id: 'audit', icon: 'shield', group: 'manage', path: '/audit', routes: ['/audit'], permission: 'audit.read', load: () => import('./audit') },
  { id: 'people', icon: 'people', group: 'manage', path: '/people', routes: ['/people/:tab?'], permission: 'members.read', load: () => import('./people') },
  { id: 'settings', icon: 'gear', group: 'manage', path: '/settings', routes: ['/settings/:tab?'], load: () => import('./settings') },
]
