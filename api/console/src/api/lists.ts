// Lists that are read at once, for names and choices.
import { api, ok, type Schemas } from './client'
import { useQuery, type Page } from './hooks'

export interface Listed<T> {
  items: T[]
  complete: boolean // there are no more
}

// listed reads a list page by page, at most five of them.
export async function listed<T>(load: (cursor: string | undefined) => Promise<Page<T>>): Promise<Listed<T>> {
  const items: T[] = []
  let cursor: string | undefined
  for (let page = 0; page < 5; page++) {
    const list = await load(cursor)
    items.push(...list.items)
    if (!list.next_cursor) return { items, complete: true }
    cursor = list.next_cursor
  }
  return { items, complete: false }
}

// useBots reads the bots of the workspace, at most 500, whose names other things do not have.
export function useBots() {
  return useQuery<Schemas['BotSummary'][]>('bots names', async (signal) => (await listed((cursor) => ok(api.GET('/v1/bots', { params: { query: { limit: 100, ...(cursor && { cursor }) } }, signal })))).items)
}
