import { signal, effect } from '@preact/signals'
import { read, write } from './storage'

export type Theme = 'system' | 'light' | 'dark'
const kept = read(localStorage, 'theme')
export const theme = signal<Theme>(kept === 'light' || kept === 'dark' ? kept : 'system')

effect(() => {
  if (theme.value === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme.value
})
export function setTheme(to: Theme) {
  write(localStorage, 'theme', to === 'system' ? null : to)
  theme.value = to
}
