// The router: the path below /console in a signal, links, and a guard for changes that are not saved.
import { signal } from '@preact/signals'
import type { ComponentChildren, TargetedMouseEvent } from 'preact'

const base = '/console'

function current() {
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : location.pathname
  return { path: path.replace(/\/+$/, '') || '/', search: location.search }
}

export const route = signal(current())

// guard is asked before the page is left; it returns whether that may be done.
type Guard = () => boolean | Promise<boolean>
const guards = new Set<Guard>()
let position = (history.state as { position?: number } | null)?.position ?? 0

async function mayLeave() {
  for (const guard of guards) if (!(await guard())) return false
  return true
}

// guardLeaving asks a guard before the page is left, also where the browser closes it. It returns how to stop that.
export function guardLeaving(guard: Guard): () => void {
  const unload = (e: BeforeUnloadEvent) => e.preventDefault()
  guards.add(guard)
  addEventListener('beforeunload', unload)
  return () => {
    guards.delete(guard)
    removeEventListener('beforeunload', unload)
  }
}

export const href = (path: string) => (path === '/' ? base : base + path)

// navigate shows another page. replace: in place of this one in the history. force: without asking guards.
export async function navigate(path: string, options: { replace?: boolean; force?: boolean } = {}) {
  const pathname = path.split('?')[0]
  if (!options.force && pathname !== route.value.path && !(await mayLeave())) return
  if (options.replace) history.replaceState({ position }, '', href(path))
  else history.pushState({ position: ++position }, '', href(path))
  const before = route.value.path
  route.value = current()
  if (before !== route.value.path) {
    scrollTo(0, 0)
    queueMicrotask(() => document.getElementById('main')?.focus({ preventScroll: true }))
  }
}

let returning = false
addEventListener('popstate', async (e) => {
  const to = (e.state as { position?: number } | null)?.position ?? 0
  if (returning) {
    returning = false
    return
  }
  const target = current()
  if (guards.size && target.path !== route.value.path) {
    // Back to where we were while the person is asked, and then forth.
    const way = to - position
    returning = true
    history.go(-way || 1)
    if (!(await mayLeave())) return
    guards.clear()
    history.go(way || -1)
    return
  }
  position = to
  route.value = current()
})

// match returns the parameters of a path that has the form of a pattern, such as /bots/:bot; a part that ends with ? may be missing.
export function match(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split('/').filter(Boolean)
  const have = path.split('/').filter(Boolean)
  const params: Record<string, string> = {}
  if (have.length > want.length) return null
  for (const [i, part] of want.entries()) {
    const value = have[i]
    if (part.startsWith(':')) {
      if (value === undefined && !part.endsWith('?')) return null
      if (value !== undefined) params[part.slice(1).replace(/\?$/, '')] = decode(value)
    } else if (part !== value) return null
  }
  return params
}

function decode(part: string) {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

// query reads a parameter of the address; setQuery changes some, in place.
export const query = (name: string) => new URLSearchParams(route.value.search).get(name)
export function setQuery(values: Record<string, string | null>) {
  const params = new URLSearchParams(route.value.search)
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === '') params.delete(name)
    else params.set(name, value)
  }
  const search = params.toString()
  history.replaceState({ position }, '', href(route.value.path) + (search ? '?' + search : ''))
  route.value = current()
}

interface LinkProps {
  to: string
  class?: string
  children?: ComponentChildren
  'aria-current'?: 'page' | undefined
  'aria-label'?: string
  onClick?: (e: TargetedMouseEvent<HTMLAnchorElement>) => void
}

// Link is a link to a page of the console.
export function Link({ to, onClick, ...rest }: LinkProps) {
  return (
    <a
      {...(rest as object)}
      href={href(to)}
      onClick={(e) => {
        onClick?.(e)
        if (e.defaultPrevented || e.button || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return
        e.preventDefault()
        void navigate(to)
      }}
    />
  )
}
