import { useEffect, useRef } from 'preact/hooks'
import { Link } from '../router'

export interface Tab {
  to: string
  label: string
  current: boolean
  count?: number
}

// Tabs are links to the parts of a page, each of which has an address. Where not all fit, the current one is in view, and a fade
// says that there are more.
export function Tabs({ tabs, label }: { tabs: Tab[]; label: string }) {
  const nav = useRef<HTMLElement>(null)
  const current = tabs.find((tab) => tab.current)?.to
  const look = () => {
    const n = nav.current // gone where a size is told after the page has changed
    n?.toggleAttribute('data-more', n.scrollWidth - n.clientWidth - Math.abs(n.scrollLeft) > 4)
  }
  useEffect(() => {
    const [n, link] = [nav.current!, nav.current!.querySelector('[aria-current]')]
    if (link) {
      const [outer, inner] = [n.getBoundingClientRect(), link.getBoundingClientRect()]
      n.scrollLeft += (inner.left + inner.right - outer.left - outer.right) / 2
    }
    const observer = new ResizeObserver(look)
    observer.observe(n)
    return () => observer.disconnect()
  }, [current])
  return (
    <nav class="tabs" ref={nav} onScroll={look} aria-label={label}>
      {tabs.map((tab) => (
        <Link key={tab.to} to={tab.to} aria-current={tab.current ? 'page' : undefined}>
          {tab.label}
          {tab.count !== undefined && <small>{tab.count}</small>}
        </Link>
      ))}
    </nav>
  )
}
