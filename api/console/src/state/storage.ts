// Storage of the browser, which may be full or forbidden: reads are then empty, and writes are lost.
const prefix = 'parley.'

export function read(store: Storage, name: string): string | null {
  try {
    return store.getItem(prefix + name)
  } catch {
    return null
  }
}

export function write(store: Storage, name: string, value: string | null) {
  try {
    if (value === null) store.removeItem(prefix + name)
    else store.setItem(prefix + name, value)
  } catch {
    // see above
  }
}

// names returns the names of what is stored that begin with a text.
export function names(store: Storage, start: string): string[] {
  try {
    return Object.keys(store).filter((key) => key.startsWith(prefix + start)).map((key) => key.slice(prefix.length))
  } catch {
    return []
  }
}
