import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { t } from './messages'

// ThreadScroll is the part of the playground that scrolls. It stays at its end while an answer grows, unless the person has scrolled up.
export function ThreadScroll({ running, changes, wide, children }: { running: boolean; changes: unknown[]; wide?: boolean; children: ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null)
  const atEnd = useRef(true)
  useLayoutEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight
  }, changes)
  return (
    <div
      ref={box} class="thread" role="log" aria-label={t('conversation')} aria-busy={running} tabIndex={0}
      onScroll={({ currentTarget: e }) => (atEnd.current = e.scrollHeight - e.scrollTop - e.clientHeight < 60)}
    >
      <div class={`thread-inner${wide ? ' wide' : ''}`}>{children}</div>
    </div>
  )
}
