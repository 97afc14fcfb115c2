import { useState } from 'preact/hooks'

// useSecretForm keeps the fields of a form that has a secret. Its third value is the argument of the useAction that sends the form: it changes with each
// edit, so that what is sent again unchanged has the same operation id, and nothing of a secret is kept in the storage of the browser.
export function useSecretForm<T extends object>(begin: T): [T, (part: Partial<T>) => void, number] {
  const [state, setState] = useState(() => ({ values: begin, edited: Date.now() }))
  return [state.values, (part) => setState((s) => ({ values: { ...s.values, ...part }, edited: s.edited + 1 })), state.edited]
}
