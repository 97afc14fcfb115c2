import { CopyButton } from './button'
import { t } from './messages'

// asText is a value as Code shows it: a text as it is, another as JSON.
export const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2))

// Code shows a text as it is, with a button that copies it.
export function Code({ text, label }: { text: string; label: string }) {
  return (
    <div class="code">
      <pre tabIndex={0} role="region" aria-label={label} dir="ltr">
        <code>{text}</code>
      </pre>
      <CopyButton text={text} />
    </div>
  )
}

export interface DiffLine {
  kind: 'same' | 'added' | 'removed' | 'gap'
  text: string
}

// unified reads a unified diff.
export function unified(diff: string): DiffLine[] {
  return diff
    .split('\n')
    .filter((line, i, all) => !/^(---|\+\+\+) /.test(line) && !line.startsWith('\\') && !(line === '' && i === all.length - 1))
    .filter((line, i) => i > 0 || !line.startsWith('@@'))
    .map((line) => ({ kind: line.startsWith('+') ? 'added' : line.startsWith('-') ? 'removed' : line.startsWith('@@') ? 'gap' : 'same', text: line.startsWith('@@') ? line : line.slice(1) }))
}

// compareLines compares two texts line by line.
export function compareLines(before: string, after: string): DiffLine[] {
  const a = before.split('\n')
  const b = after.split('\n')
  if (a.length * b.length > 4_000_000) return [...a.map((text): DiffLine => ({ kind: 'removed', text })), ...b.map((text): DiffLine => ({ kind: 'added', text }))]
  const width = b.length + 1
  const longest = new Uint32Array((a.length + 1) * width) // of the common lines from here on
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] = a[i] === b[j] ? longest[(i + 1) * width + j + 1]! + 1 : Math.max(longest[(i + 1) * width + j]!, longest[i * width + j + 1]!)
    }
  }
  const lines: DiffLine[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: 'same', text: a[i]! })
      i++
      j++
    } else if (j >= b.length || (i < a.length && longest[(i + 1) * width + j]! >= longest[i * width + j + 1]!)) lines.push({ kind: 'removed', text: a[i++]! })
    else lines.push({ kind: 'added', text: b[j++]! })
  }
  return lines
}

// Diff shows which lines were added and removed.
export function Diff({ lines, label }: { lines: DiffLine[]; label: string }) {
  if (!lines.some((l) => l.kind !== 'same' && l.kind !== 'gap')) return <p class="hint">{t('noDifference')}</p>
  return (
    <div class="diff" role="region" tabIndex={0} aria-label={label}>
      {lines.map((line, i) => (
        <div key={i} class={line.kind}>
          <span class="sign" aria-hidden="true">
            {line.kind === 'added' ? '+' : line.kind === 'removed' ? '−' : ''}
          </span>
          {line.kind === 'added' && <span class="visually-hidden">{t('added')}: </span>}
          {line.kind === 'removed' && <span class="visually-hidden">{t('removed')}: </span>}
          <span class="text" dir="auto">
            {line.text || ' '}
          </span>
        </div>
      ))}
    </div>
  )
}
