import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import type { Action } from '../api/hooks'
import { Button } from './button'
import { Dialog } from './dialog'
import { Fresh } from './fresh'
import { t } from './messages'

interface FormDialogProps {
  title: ComponentChildren
  submit: string // on the button that sends the form
  action: Pick<Action<never, unknown>, 'pending' | 'failure'> // what sends it
  danger?: boolean
  disabled?: boolean
  fixed?: boolean // as of Dialog
  onSubmit: () => void
  onClose: () => void
  children: ComponentChildren
}

// FormDialog is a dialog with a form: why it was not accepted, its fields, and buttons that cancel and send it.
export function FormDialog({ title, submit, action, danger, disabled, fixed, onSubmit, onClose, children }: FormDialogProps) {
  const id = useId()
  return (
    <Dialog
      title={title}
      fixed={fixed ?? false}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind={danger ? 'danger' : 'primary'} type="submit" form={id} busy={action.pending} disabled={disabled}>
            {submit}
          </Button>
        </>
      }
    >
      <form id={id} onSubmit={(e) => (e.preventDefault(), onSubmit())}>
        <Fresh failure={action.failure} onDone={onSubmit} />
        {children}
      </form>
    </Dialog>
  )
}
