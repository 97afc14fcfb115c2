import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Failure } from '../api/errors'
import { Icon } from './icon'
import { IconButton } from './button'
import { messageOf } from './errors'
import { t } from './messages'

export type Tone = 'good' | 'bad' | 'plain'
interface Toast {
  id: number
  text: string
  tone: Tone
}
const toasts = signal<Toast[]>([])
let count = 0

// toast says something at the top of the page for some seconds, and to screen readers.
export function toast(text: string, tone: Tone = 'good') {
  const id = ++count
  toasts.value = [...toasts.value.slice(-2), { id, text, tone }]
  setTimeout(() => drop(id), tone === 'bad' ? 8000 : 4000)
}
// useFailureToast says what failed when something did.
export function useFailureToast(failure: Failure | null) {
  useEffect(() => void (failure && toast(messageOf(failure), 'bad')), [failure])
}

const drop = (id: number) => (toasts.value = toasts.value.filter((x) => x.id !== id))

// below returns where the header of the page ends, under which toasts stand.
const below = () => Math.max(0, document.querySelector('.page-header')?.getBoundingClientRect().bottom ?? 0) + 12

export function Toasts() {
  return (
    <div class="toasts" style={toasts.value.length ? { insetBlockStart: `${below()}px` } : undefined} role="status" aria-live="polite" aria-label={t('notifications')}>
      {toasts.value.map((x) => (
        <div class={`toast ${x.tone}`} key={x.id}>
          <Icon name={x.tone === 'bad' ? 'alert' : 'check'} />
          <span dir="auto">{x.text}</span>
          <IconButton small icon="x" label={t('dismiss')} onClick={() => drop(x.id)} />
        </div>
      ))}
    </div>
  )
}
