import type { Schemas } from '../../api/client'

// saveAs lets the browser save bytes as a file.
export function saveAs(content: Blob, name: string) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

// citedPath is where a citation of a turn is shown. A citation does not name its base: the page finds it in the searches of the turn.
export const citedPath = (thread: string, turn: string | null, c: Pick<Schemas['Citation'], 'document_id' | 'start' | 'end'>) =>
  `/knowledge/-/${c.document_id}?thread=${thread}&turn=${turn ?? ''}&start=${c.start}&end=${c.end}`
