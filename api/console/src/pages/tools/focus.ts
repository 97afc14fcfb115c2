import { useEffect } from 'preact/hooks'

// useShowProblem leads to the first field with an error, or else to what says why nothing was saved.
export function useShowProblem(within: { current: HTMLElement | null }, problem: unknown) {
  useEffect(() => {
    if (!problem) return
    const field = within.current?.querySelector<HTMLElement>('.invalid .input')
    if (field) field.focus()
    else within.current?.querySelector('[role=alert]')?.scrollIntoView({ block: 'center' })
  }, [problem])
}
