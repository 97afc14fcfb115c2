import { EmptyState } from '../../ui'
export function Bot({ id, tab }: { id: string; tab: string }) {
  return <EmptyState icon="bot" title={id + tab} />
}
