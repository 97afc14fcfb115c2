// Arguments of a tool: a JSON Schema as text, and as rows where it is an object with properties.
export type Schema = Record<string, unknown>

export interface Row {
  key: number
  name: string
  type: string // '' where the schema of the argument has no single type
  description: string
  required: boolean
  rest: Schema // other keywords, kept as they are
}

export const types = ['string', 'integer', 'number', 'boolean', 'array', 'object']

const isObject = (value: unknown): value is Schema => typeof value === 'object' && value !== null && !Array.isArray(value)

// parse returns the object that a text is, or the line where it is no JSON; 0: it is another value.
export function parse(text: string): { schema: Schema } | { line: number } {
  try {
    const value = JSON.parse(text) as unknown
    return isObject(value) ? { schema: value } : { line: 0 }
  } catch (thrown) {
    const at = /position (\d+)/.exec(String(thrown))
    const before = at ? text.slice(0, Number(at[1])) : text.trimEnd()
    return { line: before.split('\n').length }
  }
}

let rows = 0
export const newRow = (): Row => ({ key: ++rows, name: '', type: 'string', description: '', required: true, rest: {} })

// rowsOf returns the arguments of a schema, or null where rows cannot show them.
export function rowsOf(schema: Schema): Row[] | null {
  const properties = schema.properties ?? {}
  if (schema.type !== 'object' || !isObject(properties) || !Object.values(properties).every(isObject)) return null
  const required = namesIn(schema.required)
  return Object.entries(properties as Record<string, Schema>).map(([name, property]) => {
    const { type, description, ...others } = property
    const known = typeof type === 'string' && types.includes(type)
    const text = typeof description === 'string' ? description : ''
    return { key: ++rows, name, type: known ? type : '', description: text, required: required.includes(name), rest: known || type === undefined ? others : { type, ...others } }
  })
}

function propertyOf({ type, description, rest }: Row): Schema {
  const { type: several, ...others } = rest
  return { ...(type ? { type } : several !== undefined && { type: several }), ...(description.trim() && { description }), ...others }
}

// schemaOf returns a schema with other arguments; what rows do not show stays.
export function schemaOf(base: Schema, list: Row[]): Schema {
  const named = list.filter((row) => row.name.trim())
  const properties = Object.fromEntries(named.map((row) => [row.name.trim(), propertyOf(row)]))
  const hidden = namesIn(base.required).filter((name) => !isObject(base.properties) || !(name in base.properties))
  const required = [...named.filter((row) => row.required).map((row) => row.name.trim()), ...hidden]
  const { properties: _, required: __, ...others } = base
  const { type, ...rest } = others
  return { type: type ?? 'object', properties, ...(required.length > 0 && { required }), ...rest }
}

const namesIn = (value: unknown) => (Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [])
