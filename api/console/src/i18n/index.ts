// Texts in English and Russian. A page keeps its own in a file beside it: const t = dictionary({ en: {…}, ru: {…} }).
import { signal, computed, effect } from '@preact/signals'
import { read, write } from '../state/storage'

export type Language = 'en' | 'ru'
export const languages: { id: Language; name: string }[] = [
  { id: 'en', name: 'English' },
  { id: 'ru', name: 'Русский' },
]

function preferred(): Language {
  const kept = read(localStorage, 'language')
  if (kept === 'en' || kept === 'ru') return kept
  return navigator.language.toLowerCase().startsWith('ru') ? 'ru' : 'en'
}

export const language = signal<Language>(preferred())
effect(() => {
  document.documentElement.lang = language.value
})
export function setLanguage(to: Language) {
  write(localStorage, 'language', to)
  language.value = to
}

type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }
export type Text = string | Forms
type Values = Record<string, string | number>

// dictionary returns t(key, values). A text has {name} where a value goes; a text with plural forms is chosen by the value n.
export function dictionary<K extends string>(texts: { en: Record<K, Text>; ru: Record<NoInfer<K>, Text> }) {
  return (key: K, values: Values = {}): string => {
    const at = language.value
    const found: Text = texts[at][key]
    const text = typeof found === 'string' ? found : (found[rules.value.select(Number(values.n ?? 0))] ?? found.other)
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name]
      return value === undefined ? whole : typeof value === 'number' ? number(value) : value
    })
  }
}

const rules = computed(() => new Intl.PluralRules(language.value))
const numbers = computed(() => new Intl.NumberFormat(language.value))
const compacts = computed(() => new Intl.NumberFormat(language.value, { notation: 'compact', maximumFractionDigits: 1 }))
const dates = computed(() => new Intl.DateTimeFormat(language.value, { dateStyle: 'medium' }))
const times = computed(() => new Intl.DateTimeFormat(language.value, { dateStyle: 'medium', timeStyle: 'short' }))
const relatives = computed(() => new Intl.RelativeTimeFormat(language.value, { numeric: 'auto', style: 'short' }))

export const number = (n: number) => numbers.value.format(n)
export const compact = (n: number) => compacts.value.format(n)
export const date = (at: string) => dates.value.format(new Date(at))
export const dateTime = (at: string) => times.value.format(new Date(at))

// ago returns how long ago a time was, or the date where that is more than a week.
export function ago(at: string): string {
  const seconds = (new Date(at).getTime() - Date.now()) / 1000
  const past = Math.abs(seconds)
  if (past < 45) return relatives.value.format(0, 'second')
  if (past < 45 * 60) return relatives.value.format(Math.round(seconds / 60), 'minute')
  if (past < 22 * 3600) return relatives.value.format(Math.round(seconds / 3600), 'hour')
  if (past < 7 * 86400) return relatives.value.format(Math.round(seconds / 86400), 'day')
  return date(at)
}

export function duration(ms: number): string {
  const unit = ms < 1000 ? 'millisecond' : 'second'
  return new Intl.NumberFormat(language.value, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: ms < 1000 ? 0 : 1 }).format(ms < 1000 ? ms : ms / 1000)
}

export function bytes(n: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const
  let i = 0
  while (n >= 1000 && i < units.length - 1) {
    n /= 1000
    i++
  }
  return new Intl.NumberFormat(language.value, { style: 'unit', unit: units[i]!, unitDisplay: i ? 'short' : 'long', maximumFractionDigits: i && n < 10 ? 1 : 0 }).format(n)
}

// money returns a cost in millionths of the operator's currency, which the API does not name.
export const money = (micros: number) => new Intl.NumberFormat(language.value, { minimumFractionDigits: 2, maximumFractionDigits: micros && Math.abs(micros) < 10_000 ? 6 : 2 }).format(micros / 1e6)
