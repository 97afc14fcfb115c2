import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import type { Turn } from './conversation'
import { t } from './messages'

// ThreadScroll is the part of the playground that scrolls. It stays at its end while an answer grows, unless the person has scrolled up since the last message.
export function ThreadScroll({ running, turns, wide, children }: { running: boolean; turns: Turn[][]; wide?: boolean; children: ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null)
  const atEnd = useRef(true)
  const count = turns.flat().length
  useLayoutEffect(() => void (atEnd.current = true), [count])
  useLayoutEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight
  }, turns)
  return (
    <div
      ref={box} class="thread" role="log" aria-label={t('conversation')} aria-busy={running} tabIndex={0}
      onScroll={({ currentTarget: e }) => (atEnd.current = e.scrollHeight - e.scrollTop - e.clientHeight < 60)}
    >
      <div class={`thread-inner${wide ? ' wide' : ''}`}>{children}</div>
    </div>
  )
}
