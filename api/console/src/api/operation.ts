// Operation ids: one for each change that a person begins, used again when the change is sent again.
import { names, read, write } from '../state/storage'

// uuid returns a random UUID. crypto.randomUUID is missing on pages that are served by plain HTTP.
export function uuid(): string {
  const b = crypto.getRandomValues(new Uint8Array(16))
  b[6] = (b[6]! & 0x0f) | 0x40
  b[8] = (b[8]! & 0x3f) | 0x80
  const hex = Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

// as puts an operation id into the options of a call.
export const as = (operation: string, headers: Record<string, string> = {}) => ({ headers: { 'X-Operation-Id': operation, ...headers } })

const prefix = 'operation.'

// operationFor returns the id for a change with these arguments: that of the last try if it had the same ones and no answer,
// also after a reload of the page. Only a hash of the arguments is kept.
export function operationFor(name: string, args: unknown): string {
  const print = hash(JSON.stringify(args) ?? '')
  const [id, before] = (read(sessionStorage, prefix + name) ?? '').split(' ')
  if (id && before === print) return id
  const fresh = uuid()
  write(sessionStorage, prefix + name, `${fresh} ${print}`)
  return fresh
}

// settle forgets the id of a change that was answered.
export const settle = (name: string) => write(sessionStorage, prefix + name, null)

export const forgetOperations = () => names(sessionStorage, prefix).forEach((name) => write(sessionStorage, name, null))

// hash is cyrb53: short, and no secret depends on it.
function hash(text: string): string {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    a = Math.imul(a ^ c, 2654435761)
    b = Math.imul(b ^ c, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36)
}
