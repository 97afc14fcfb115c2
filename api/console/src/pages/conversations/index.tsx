import type { PageProps } from '..'
import { ThreadsList } from './list'
import { ThreadPage } from './thread'
import './styles.css'

export default function Conversations({ params }: PageProps) {
  return params.thread ? <ThreadPage key={params.thread} id={params.thread} /> : <ThreadsList />
}
