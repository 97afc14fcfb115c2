import type { RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { read, write } from '../../state/storage'
import { Icon, IconButton } from '../../ui'
import { accepted, AttachmentList, type Attachments } from './attachments'
import type { Attached } from './conversation'
import { t } from './messages'

interface ComposerProps {
  slot: string // of the storage of the tab, for what is typed
  name: string
  area: RefObject<HTMLTextAreaElement | null>
  busy: boolean
  running: boolean
  attachments?: Attachments | undefined
  hint?: string | undefined
  onSend: (content: string, attached: Attached[]) => void
  onStop: () => void
}

// Composer is where a message is written.
export function Composer({ slot, name, area, busy, running, attachments: files, hint, onSend, onStop }: ComposerProps) {
  const [text, setText] = useState(() => read(sessionStorage, `${slot}.text`) ?? '')
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => write(sessionStorage, `${slot}.text`, text || null), [text])
  const ready = !!text.trim() && !busy && !files?.pending && !files?.failed
  const submit = () => {
    if (!ready) return
    onSend(text.trim(), files?.sent ?? [])
    setText('')
    files?.clear()
  }
  const status = files?.failed ? t('filesFailed') : files?.list.length && !text.trim() ? t('filesNeedText') : hint
  return (
    <form class="composer" onSubmit={(e) => (e.preventDefault(), submit())}>
      <div class="composer-box">
        {files && <AttachmentList attachments={files} onRemoved={() => area.current?.focus()} />}
        <div class={`composer-line${files ? ' attaches' : ''}`}>
          {files && (
            <>
              <IconButton icon="clip" label={t('attachFiles')} onClick={() => input.current?.click()} />
              <input ref={input} type="file" class="visually-hidden" tabIndex={-1} aria-label={t('chooseFiles')} multiple accept={accepted} onChange={(e) => (files.add(e.currentTarget.files ?? []), (e.currentTarget.value = ''), area.current?.focus())} />
            </>
          )}
          <textarea
            ref={area} rows={1} dir="auto" maxLength={50000} aria-label={t('message')} placeholder={t('messagePlaceholder', { name })} value={text}
            onInput={(e) => setText(e.currentTarget.value)}
            onPaste={(e) => {
              const pasted = [...(e.clipboardData?.files ?? [])]
              if (!files || !pasted.length) return
              e.preventDefault()
              files.add(pasted)
            }}
            onKeyDown={(e) => {
              if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) {
                e.preventDefault()
                submit()
              }
            }}
          />
          {running ? (
            <IconButton class="send" icon="stop" label={t('stop')} onClick={onStop} />
          ) : (
            <button type="submit" class="icon-button send" aria-label={t('send')} title={t('send')} disabled={!ready}>
              <Icon name="send" />
            </button>
          )}
        </div>
      </div>
      <p class="composer-hint" role="status">{status}</p>
    </form>
  )
}
