import { api, ok } from '../../api/client'
import { useAction } from '../../api/hooks'
import { Button, messageOf, toast } from '../../ui'
import { asFailure } from '../../api/errors'
import { t } from './messages'

// ExportButton saves the entries that match as NDJSON. An export that was cut off ends without its last line feed, and is not saved.
export function ExportButton({ filters }: { filters: Record<string, string> }) {
  const save = useAction('audit.export', async () => {
    try {
      const text = (await ok(api.GET('/v1/audit-log/export', { params: { query: filters }, parseAs: 'text' }))) as unknown as string
      if (text && !text.endsWith('\n')) return toast(t('cutOff'), 'bad')
      const address = URL.createObjectURL(new Blob([text], { type: 'application/x-ndjson' }))
      const link = document.createElement('a')
      link.href = address
      link.download = `audit-${new Date().toISOString().slice(0, 10)}.ndjson`
      link.click()
      setTimeout(() => URL.revokeObjectURL(address), 10_000)
      toast(t('exported', { n: text.split('\n').length - 1 }))
    } catch (thrown) {
      toast(messageOf(asFailure(thrown)), 'bad')
    }
  })
  return (
    <Button icon="file" busy={save.pending} onClick={() => void save.run()}>
      {t('export')}
    </Button>
  )
}
