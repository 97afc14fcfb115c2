import { Select, type Option } from './form'

interface ChoiceProps {
  label: string
  value: string
  options: Option[]
  onChange: (to: string) => void
}

// Segments choose one of a few views of a list.
export function Segments({ label, value, options, onChange }: ChoiceProps) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map((o) => (
        <button key={o.value} type="button" aria-pressed={o.value === value} onClick={() => onChange(o.value)}>
          {o.label}
        </button>
      ))}
    </div>
  )
}

// Filter is a choice in a toolbar.
export function Filter(props: ChoiceProps) {
  return (
    <div class="picker">
      <Select {...props} />
    </div>
  )
}
