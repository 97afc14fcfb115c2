import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { Button, IconButton } from './button'
import { t } from './messages'

interface DialogProps {
  title: ComponentChildren
  onClose: () => void
  children: ComponentChildren
  footer?: ComponentChildren
  wide?: boolean
  side?: boolean // at the edge of the page, over its whole height
  fixed?: boolean // Escape, the background and a button do not close it
}

const controls = ['input:not([type=hidden], [type=file], [readonly])', 'select', 'textarea:not([readonly])'].map((c) => `${c}:not(:disabled)`).join()

// Dialog is a native dialog over the page: focus begins at its first field, stays in it, and goes back to where it was.
export function Dialog({ title, onClose, children, footer, wide, side, fixed }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = ref.current!
    const before = document.activeElement as HTMLElement | null
    dialog.showModal()
    const body = dialog.querySelector('.dialog-body')!
    if (!side && !body.contains(document.activeElement)) Array.from(body.querySelectorAll<HTMLElement>(controls)).find((c) => c.checkVisibility())?.focus()
    return () => {
      dialog.close()
      if (before?.isConnected) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={ref}
      class={`dialog${wide ? ' wide' : ''}${side ? ' side' : ''}`}
      aria-labelledby={id}
      onCancel={(e) => {
        if (e.target !== e.currentTarget) return
        e.preventDefault()
        if (!fixed) onClose()
      }}
      onMouseDown={(e) => {
        if (e.target === e.currentTarget && !fixed) onClose()
      }}
    >
      <div class="dialog-box">
        <div class="dialog-head">
          <h2 id={id}>{title}</h2>
          {!fixed && <IconButton icon="x" label={t('close')} onClick={onClose} />}
        </div>
        <div class="dialog-body">{children}</div>
        {footer && <footer>{footer}</footer>}
      </div>
    </dialog>
  )
}

interface Question {
  title: string
  text?: ComponentChildren
  yes: string
  no?: string
  danger?: boolean
  answer: (yes: boolean) => void
}
const question = signal<Question | null>(null)

// confirm asks whether something is to be done.
export function confirm(q: Omit<Question, 'answer'>): Promise<boolean> {
  question.value?.answer(false)
  return new Promise((done) => {
    question.value = {
      ...q,
      answer: (yes) => {
        question.value = null
        done(yes)
      },
    }
  })
}

export function ConfirmHost() {
  const q = question.value
  if (!q) return null
  return (
    <Dialog
      title={q.title}
      onClose={() => q.answer(false)}
      footer={
        <>
          <Button onClick={() => q.answer(false)}>{q.no ?? t('cancel')}</Button>
          <Button kind={q.danger ? 'danger' : 'primary'} onClick={() => q.answer(true)}>
            {q.yes}
          </Button>
        </>
      }
    >
      {q.text && <p>{q.text}</p>}
    </Dialog>
  )
}

export const confirmLeaving = () => confirm({ title: t('leaveTitle'), text: t('leaveText'), yes: t('leave'), no: t('stay'), danger: true })
