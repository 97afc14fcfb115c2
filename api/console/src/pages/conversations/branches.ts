import type { Schemas } from '../../api/client'

type Turn = Schemas['TurnRecord']

export interface Siblings {
  place: number // from 1 on
  all: number
  before: string | null // the last turn of the branch of the sibling before
  after: string | null
}

// branchesOf tells of a turn which others have the same parent, and the newest branch of each.
export function branchesOf(newestFirst: Turn[]): (turn: Turn) => Siblings | undefined {
  const children = new Map<string | null, Turn[]>()
  for (const turn of newestFirst.toReversed()) {
    const list = children.get(turn.parent_turn_id)
    if (list) list.push(turn)
    else children.set(turn.parent_turn_id, [turn])
  }
  const leaf = (turn: Turn | undefined): string | null => {
    if (!turn) return null
    let at = turn
    for (let next = children.get(at.id); next; next = children.get(at.id)) at = next.at(-1)!
    return at.id
  }
  return (turn) => {
    const all = children.get(turn.parent_turn_id) ?? []
    const place = all.findIndex((x) => x.id === turn.id)
    return all.length < 2 || place < 0 ? undefined : { place: place + 1, all: all.length, before: leaf(all[place - 1]), after: leaf(all[place + 1]) }
  }
}
