import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { t } from './messages'

export interface Series {
  name: string
  tone: 'a' | 'b' | 'bad' | 'good'
  values: (number | null)[]
}

interface ChartProps {
  title: string
  labels: string[] // of periods, short
  names: string[] // of periods, whole
  series: Series[]
  format: (n: number) => string
  none?: string // instead of what is said where all values are 0
  lines?: boolean // lines, not stacked bars
  at: number | null
  onAt: (to: number | null) => void
}

// niceTop returns the end of an axis: a round number above the greatest value.
export function niceTop(max: number, whole = true): number {
  if (max <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(max))
  const top = [1, 2, 2.5, 5, 10].map((x) => x * power).find((x) => x >= max)!
  return whole ? Math.max(1, Math.ceil(top)) : top
}

const height = 168
const bottom = 22

// Chart draws values of periods. The pointer and the arrow keys choose a period, whose values stand above the chart.
export function Chart({ title, labels, names, series, format, none, lines, at, onAt }: ChartProps) {
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(480)
  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    const measure = () => setWidth(Math.max(200, element.clientWidth))
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  const count = labels.length
  const sums = labels.map((_, i) => (lines ? Math.max(...series.map((s) => s.values[i] ?? 0)) : series.reduce((n, s) => n + (s.values[i] ?? 0), 0)))
  const greatest = Math.max(0, ...sums)
  const top = niceTop(greatest, greatest >= 1)
  const start = 46
  const step = (width - start) / count
  const y = (n: number) => (height - bottom) * (1 - n / top) + 6 * (n / top)
  const x = (i: number) => start + (i + 0.5) * step
  const every = Math.ceil(count / Math.max(2, Math.floor((width - start) / 64)))
  const thick = Math.max(1, Math.min(26, step * 0.68))
  const chosen = at !== null && at < count ? at : null
  const said = (i: number) => `${names[i]}: ${series.map((s) => `${s.name} ${s.values[i] === null ? '—' : format(s.values[i]!)}`).join(', ')}`
  const pick = (e: PointerEvent) => {
    const r = (e.currentTarget as Element).getBoundingClientRect()
    onAt(Math.max(0, Math.min(count - 1, Math.floor((e.clientX - r.left - start) / step))))
  }
  const onKey = (e: KeyboardEvent) => {
    const from = chosen ?? count
    const to = { ArrowLeft: from - 1, ArrowDown: from - 1, ArrowRight: chosen === null ? 0 : from + 1, ArrowUp: chosen === null ? 0 : from + 1, Home: 0, End: count - 1 }[e.key]
    if (e.key === 'Escape') onAt(null)
    if (to === undefined) return
    e.preventDefault()
    onAt(Math.max(0, Math.min(count - 1, to)))
  }

  return (
    <figure class="card chart">
      <figcaption>
        <h2>{title}</h2>
        <span class="now" aria-hidden="true">
          {chosen !== null && <b>{names[chosen]}</b>}
          {(series.length > 1 || chosen !== null) &&
            series.map((s) => (
              <span class="key" key={s.name}>
                <i class={`tone-${s.tone}`} />
                {s.name} {chosen !== null && (s.values[chosen] === null ? '—' : format(s.values[chosen]!))}
              </span>
            ))}
        </span>
      </figcaption>
      {greatest === 0 ? (
        <p class="none">{none ?? t('nothing')}</p>
      ) : (
        <div
          ref={box}
          class="plot"
          role="slider"
          tabIndex={0}
          aria-label={title}
          aria-valuemin={0}
          aria-valuemax={count - 1}
          aria-valuenow={chosen ?? count - 1}
          aria-valuetext={said(chosen ?? count - 1)}
          onKeyDown={onKey}
          onPointerMove={pick}
          onPointerDown={pick}
          onPointerLeave={() => onAt(null)}
          onBlur={() => onAt(null)}
        >
          <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true" focusable="false">
            {[0, 0.5, 1].map((part) => (
              <g key={part}>
                <line class="grid" x1={start} x2={width} y1={y(top * part)} y2={y(top * part)} />
                <text x={start - 8} y={y(top * part) + 4} text-anchor="end">
                  {format(top * part)}
                </text>
              </g>
            ))}
            {labels.map((label, i) => (count - 1 - i) % every === 0 && (
              <text key={i} x={x(i) + 24 > width ? width : x(i)} y={height - 4} text-anchor={x(i) + 24 > width ? 'end' : 'middle'}>
                {label}
              </text>
            ))}
            {chosen !== null && <rect class="band" x={start + chosen * step} width={step} y={0} height={height - bottom} />}
            {lines ? series.map((s) => <Line key={s.name} series={s} x={x} y={y} />) : labels.map((_, i) => <Bar key={i} series={series} i={i} x={x(i) - thick / 2} y={y} width={thick} />)}
          </svg>
        </div>
      )}
    </figure>
  )
}

function Bar({ series, i, x, y, width }: { series: Series[]; i: number; x: number; y: (n: number) => number; width: number }) {
  let below = 0
  return (
    <>
      {series.map((s) => {
        const value = s.values[i] ?? 0
        if (!value) return null
        const from = below
        below += value
        const tall = Math.max(1, y(from) - y(below))
        return <rect key={s.name} class={`bar tone-${s.tone}`} x={x} y={y(below)} width={width} height={tall} rx={Math.min(2, width / 3)} />
      })}
    </>
  )
}

// Line breaks where a period has no value; a value alone is a dot.
function Line({ series, x, y }: { series: Series; x: (i: number) => number; y: (n: number) => number }) {
  let path = ''
  const dots: number[] = []
  series.values.forEach((value, i) => {
    if (value === null) return
    const before = series.values[i - 1] ?? null
    path += `${before === null ? 'M' : 'L'}${x(i).toFixed(1)} ${y(value).toFixed(1)}`
    if (before === null && (series.values[i + 1] ?? null) === null) dots.push(i)
  })
  return (
    <g class={`tone-${series.tone}`}>
      <path class="line" d={path} />
      {dots.map((i) => (
        <circle key={i} class="dot" cx={x(i)} cy={y(series.values[i]!)} r="3" />
      ))}
    </g>
  )
}
