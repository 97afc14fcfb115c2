// The settings of a bot as a form has them: a field each for the common ones, and the others as JSON.
export type Settings = Record<string, unknown>

export interface Draft {
  instruction: string
  model: string
  temperature: string
  max_output_tokens: string
  history_limit: string
  tools: { id: string; approval?: string; version?: number | null }[]
  others: string
}

const fields = ['model', 'temperature', 'max_output_tokens', 'history_limit'] as const

export function draftOf(bot: { instruction: string; settings: Settings }): Draft {
  const { model, temperature, max_output_tokens, history_limit, tools, ...others } = bot.settings
  const text = (v: unknown) => (v === undefined || v === null ? '' : String(v))
  return {
    instruction: bot.instruction,
    model: text(model),
    temperature: text(temperature),
    max_output_tokens: text(max_output_tokens),
    history_limit: text(history_limit),
    tools: Array.isArray(tools) ? (tools as Draft['tools']) : [],
    others: Object.keys(others).length ? JSON.stringify(others, null, 2) : '',
  }
}

// settingsOf returns the settings of a draft, or which field is wrong.
export function settingsOf(draft: Draft): { settings: Settings } | { wrong: keyof Draft } {
  let settings: Settings = {}
  if (draft.others.trim()) {
    try {
      const others = JSON.parse(draft.others) as unknown
      if (typeof others !== 'object' || others === null || Array.isArray(others)) return { wrong: 'others' }
      settings = { ...(others as Settings) }
    } catch {
      return { wrong: 'others' }
    }
  }
  for (const field of fields) {
    const value = draft[field].trim()
    if (!value) continue
    if (field === 'model') settings.model = value
    else if (Number.isFinite(Number(value))) settings[field] = Number(value)
    else return { wrong: field }
  }
  if (draft.tools.length) settings.tools = draft.tools
  return { settings }
}
