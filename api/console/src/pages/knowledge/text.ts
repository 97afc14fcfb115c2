// The API counts Unicode code points, and texts of JavaScript have UTF-16 units.

const pairs = /[\ud800-\udbff][\udc00-\udfff]/

// unitsOf returns a function that says at which unit of a text a code point is.
export function unitsOf(text: string): (point: number) => number {
  if (!pairs.test(text)) return (point) => Math.max(0, Math.min(point, text.length))
  const every = 4096 // code points between two marks
  const marks: number[] = []
  let points = 0
  for (let unit = 0; unit < text.length; points++) {
    if (points % every === 0) marks.push(unit)
    unit += text.codePointAt(unit)! > 0xffff ? 2 : 1
  }
  return (point) => {
    if (point <= 0) return 0
    if (point >= points) return text.length
    let unit = marks[Math.floor(point / every)]!
    for (let left = point % every; left > 0; left--) unit += text.codePointAt(unit)! > 0xffff ? 2 : 1
    return unit
  }
}

export interface Part {
  text: string
  marked: boolean
}

// markedParts divides a text into what is marked and what is not. Ranges are in units, sorted.
export function markedParts(text: string, ranges: [number, number][]): Part[] {
  const parts: Part[] = []
  let at = 0
  for (const [start, end] of ranges) {
    if (end <= at || start >= text.length) continue
    if (start > at) parts.push({ text: text.slice(at, start), marked: false })
    parts.push({ text: text.slice(Math.max(start, at), end), marked: true })
    at = end
  }
  if (at < text.length) parts.push({ text: text.slice(at), marked: false })
  return parts
}
