// The definition of a tool as a form has it: texts, and the body of a call made of them.
import type { Schemas } from '../../api/client'
import { parse } from './schema'

export type Tool = Schemas['Tool']
export type Method = NonNullable<Schemas['CreateToolRequest']['method']>
export type Definition = Pick<Schemas['ToolVersion'], 'kind' | 'description' | 'schema' | 'effect' | 'timeout_ms' | 'max_output_bytes' | 'url' | 'method' | 'idempotency_header' | 'remote_name' | 'redact'>

export interface Draft {
  kind: Schemas['ToolKind']
  name: string
  description: string
  effect: Schemas['ToolEffect']
  schema: string
  url: string
  method: Method
  idempotency_header: string
  timeout_ms: string
  max_output_bytes: string
  redact: string
}

export const methods: Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
const noArguments = { type: 'object', properties: {}, additionalProperties: false }

export const emptyDraft: Draft = {
  kind: 'http', name: '', description: '', effect: 'read', schema: JSON.stringify(noArguments, null, 2), url: '', method: 'GET', idempotency_header: '', timeout_ms: '10000', max_output_bytes: '65536', redact: '',
}

export const draftOf = (tool: Definition & { name: string }): Draft => ({
  kind: tool.kind,
  name: tool.name,
  description: tool.description,
  effect: tool.effect,
  schema: JSON.stringify(tool.schema, null, 2),
  url: tool.url ?? '',
  method: (tool.method ?? 'POST') as Method,
  idempotency_header: tool.idempotency_header ?? '',
  timeout_ms: String(tool.timeout_ms),
  max_output_bytes: String(tool.max_output_bytes),
  redact: tool.redact.join(', '),
})

export type Fields = Omit<Schemas['CreateToolRequest'], 'kind' | 'name' | 'credentials' | 'note'>

// fieldsOf returns what a draft says of the fields of its kind, or null where the schema is no JSON object.
export function fieldsOf(draft: Draft): Fields | null {
  const parsed = parse(draft.schema)
  if (!('schema' in parsed)) return null
  return {
    description: draft.description.trim(),
    effect: draft.effect,
    schema: parsed.schema,
    timeout_ms: Number(draft.timeout_ms),
    max_output_bytes: Number(draft.max_output_bytes),
    ...(draft.kind !== 'client' && { url: draft.url.trim(), redact: draft.redact.split(/[,\n]/).map((name) => name.trim()).filter(Boolean) }),
    ...(draft.kind === 'http' && { method: draft.method, idempotency_header: draft.idempotency_header.trim() }),
  }
}

// changesOf returns the fields that differ.
export function changesOf(before: Fields, after: Fields): Partial<Fields> {
  const changed = Object.entries(after).filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(before[field as keyof Fields]))
  return Object.fromEntries(changed) as Partial<Fields>
}

// textOf returns a definition without its description as lines to compare.
export const textOf = ({ kind, description, schema, effect, ...rest }: Definition) => {
  const { url, method, idempotency_header, timeout_ms, max_output_bytes, redact } = rest
  return JSON.stringify({ effect, ...(kind !== 'client' && { url }), ...(kind === 'http' && { method, idempotency_header }), timeout_ms, max_output_bytes, ...(kind !== 'client' && { redact }), schema }, null, 2)
}
