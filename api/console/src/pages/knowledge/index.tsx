import type { PageProps } from '..'
import { Base } from './base'
import { Cited, DocumentPage } from './document'
import { BasesList } from './list'
import './styles.css'

export default function Knowledge({ params }: PageProps) {
  if (!params.base) return <BasesList />
  if (!params.document) return <Base key={params.base} id={params.base} />
  // A citation has no id of a base: the place of the base is then a dash.
  if (params.base === '-') return <Cited key={params.document} document={params.document} />
  return <DocumentPage key={params.document} base={params.base} id={params.document} />
}
