import type { components } from './schema'

export type FieldErrors = Record<string, string>
export type Code = components['schemas']['Error']['code'] | 'NETWORK'

// Failure is a call that did not succeed: an error of the API, or with the code NETWORK and the status 0 one of the connection.
export class Failure extends Error {
  constructor(
    readonly status: number,
    readonly code: Code,
    message: string,
    readonly traceId: string = '',
    readonly details: Record<string, unknown> | null = null,
    readonly retryAfter: number = 0, // seconds, 0: not said
  ) {
    super(message)
    this.name = 'Failure'
  }

  // passing tells whether the same call may succeed later.
  get passing() {
    return this.status === 0 || this.status === 429 || this.status === 503
  }

  // settled tells whether the call has been answered for good: another try is a new operation.
  get settled() {
    return !this.passing && this.status < 500 && this.code !== 'OPERATION_IN_PROGRESS'
  }

  // fields returns the messages of a VALIDATION_ERROR by field, such as settings.temperature.
  get fields(): FieldErrors {
    const errors = this.code === 'VALIDATION_ERROR' ? (this.details?.errors as { field: string; message: string }[] | undefined) : undefined
    return Object.fromEntries((errors ?? []).map((e) => [e.field, e.message]))
  }
}

// failureOf reads the error of an answer.
export async function failureOf(response: Response): Promise<Failure> {
  const retryAfter = Number(response.headers.get('Retry-After')) || 0
  const traceId = response.headers.get('X-Trace-Id') ?? ''
  try {
    const body = (await response.json()) as components['schemas']['Error']
    return new Failure(response.status, body.code, body.message, body.trace_id || traceId, (body.details ?? null) as Record<string, unknown> | null, retryAfter)
  } catch {
    // A proxy may answer with a page of its own.
    return new Failure(response.status, response.status === 503 || response.status === 502 || response.status === 504 ? 'DOWNSTREAM_UNAVAILABLE' : 'INTERNAL_ERROR', `HTTP ${response.status}`, traceId, null, retryAfter)
  }
}

// asFailure makes a Failure of whatever was thrown.
export function asFailure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown
  if (thrown instanceof TypeError || (thrown instanceof DOMException && thrown.name === 'NetworkError')) return new Failure(0, 'NETWORK', thrown.message)
  return new Failure(-1, 'INTERNAL_ERROR', thrown instanceof Error ? thrown.message : String(thrown))
}

export const isAbort = (thrown: unknown) => thrown instanceof DOMException && thrown.name === 'AbortError'
