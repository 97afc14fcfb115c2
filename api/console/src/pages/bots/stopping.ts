// Stopping a turn before anything is known of it but the operation of its call, and what is kept of a message that has no answer.
import { api, ok } from '../../api/client'
import { asFailure, Failure, isAbort } from '../../api/errors'
import { as, uuid } from '../../api/operation'
import { read, write } from '../../state/storage'
import type { Input } from './conversation'

export interface Stop {
  operation: string // of the call that began the turn
  turnId?: string | undefined // of a turn that was tried again
}

// Kept is what a reload must not lose of a message that the server has not taken, or of a turn that was tried again.
export interface Kept {
  input?: Input
  stop?: Stop // it is to be cancelled
  wait?: { turnId?: string | undefined; until: number; failure: Pick<Failure, 'status' | 'code' | 'message' | 'traceId' | 'details'> } // no try before
}

export function readKept(slot: string): Kept {
  const text = read(sessionStorage, `${slot}.pending`)
  const kept = text ? (JSON.parse(text) as Kept | Input) : {}
  return 'content' in kept ? { input: kept } : kept // it was the message alone
}

export const writeKept = (slot: string, kept: Kept | null) => write(sessionStorage, `${slot}.pending`, kept && JSON.stringify(kept))

// waitOf keeps a failure with the time before which no other try is of use.
export const waitOf = ({ status, code, message, traceId, details, retryAfter }: Failure, turnId?: string): Kept['wait'] =>
  retryAfter ? { turnId, until: Date.now() + retryAfter * 1000, failure: { status, code, message, traceId, details } } : undefined

// failureIn returns the failure with the seconds that are left of its wait, or null where it is over.
export function failureIn(wait: Kept['wait']): Failure | null {
  const left = wait ? Math.ceil((wait.until - Date.now()) / 1000) : 0
  if (!wait || left <= 0) return null
  const { status, code, message, traceId, details } = wait.failure
  return new Failure(status, code, message, traceId, details, left)
}

export interface Found {
  threadId: string
  turnId: string
}

// Stopping looks for a turn and cancels it.
export class Stopping {
  private known: Found | null = null
  private wake = () => {}
  readonly abort = new AbortController()

  constructor(private readonly bot: string, private readonly threadId: string | null, readonly stop: Stop) {}

  // found says which turn it is, as the first event of its stream does.
  found(turn: Found) {
    this.known = turn
    this.wake()
  }

  get isKnown() {
    return !!this.known
  }

  // run returns the turn, which has ended then, or null where none has begun: the call may be on its way to the server for some seconds, not longer.
  async run(): Promise<Found | null> {
    const { signal } = this.abort
    for (const waits = [300, 700, 1500, 2500, 3000]; ; ) {
      let pause: number | undefined
      try {
        const turn = this.known ?? (await this.find())
        if (turn) {
          await this.cancel(turn)
          return turn
        }
        pause = waits.shift()
        if (pause === undefined) return null
      } catch (thrown) {
        const failed = asFailure(thrown)
        if (signal.aborted || isAbort(thrown) || !(failed.passing || failed.status >= 500)) throw thrown
        pause = Math.max(2, failed.retryAfter) * 1000 // nobody knows: asked again
      }
      await this.pause(pause)
      signal.throwIfAborted()
    }
  }

  private async find(): Promise<Found | null> {
    const { signal } = this.abort
    const { operation, turnId } = this.stop
    if (turnId && this.threadId) {
      const turn = await ok(api.GET('/v1/conversations/threads/{thread_id}/turns/{turn_id}', { params: { path: { thread_id: this.threadId, turn_id: turnId } }, signal }))
      return turn.status === 'running' || turn.status === 'waiting' ? { threadId: this.threadId, turnId } : null
    }
    // The first message of a trial begins its thread, too.
    const threads = this.threadId ? [this.threadId] : (await ok(api.GET('/v1/conversations/threads', { params: { query: { trial: true, bot_id: this.bot, limit: 5 } }, signal }))).items.map((x) => x.id)
    for (const threadId of threads) {
      const turns = await ok(api.GET('/v1/conversations/threads/{thread_id}/turns', { params: { path: { thread_id: threadId }, query: { limit: 10 } }, signal }))
      const turn = turns.items.find((x) => x.operation_id === operation)
      if (turn) return { threadId, turnId: turn.id }
    }
    return null
  }

  private async cancel({ threadId, turnId }: Found) {
    const path = { thread_id: threadId, turn_id: turnId }
    await ok(api.POST('/v1/conversations/threads/{thread_id}/turns/{turn_id}/cancel', { params: { path }, body: {}, signal: this.abort.signal, ...as(uuid()) })).catch((thrown: unknown) => {
      if (asFailure(thrown).status !== 409) throw thrown // it has ended by itself
    })
  }

  private pause(ms: number): Promise<void> {
    const { signal } = this.abort
    return new Promise((done) => {
      const end = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        done()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end)
      this.wake = end
    })
  }
}
