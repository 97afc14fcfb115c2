import { useState } from 'preact/hooks'

// useFileDrop takes files that are dropped on an element. Without a taker they are ignored, and the browser does not open them.
export function useFileDrop(take: ((files: Iterable<File>) => void) | null) {
  const [over, setOver] = useState(false)
  const hasFiles = (e: DragEvent) => !!e.dataTransfer?.types.includes('Files')
  const on = {
    onDragOver: (e: DragEvent) => {
      if (!hasFiles(e)) return
      e.preventDefault()
      if (take) setOver(true)
      else e.dataTransfer!.dropEffect = 'none'
    },
    onDragLeave: (e: DragEvent) => {
      if (!(e.currentTarget as HTMLElement).contains(e.relatedTarget as Node | null)) setOver(false)
    },
    onDrop: (e: DragEvent) => {
      if (!hasFiles(e)) return
      e.preventDefault()
      setOver(false)
      take?.(e.dataTransfer!.files)
    },
  }
  return { over, on }
}
