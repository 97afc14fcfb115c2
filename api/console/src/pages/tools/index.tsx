import type { PageProps } from '..'
import { NewTool } from './create'
import { ImportMCP } from './import-mcp'
import { ImportOpenAPI } from './import'
import { ToolsList } from './list'
import { ToolPage } from './tool'
import '../bots/styles.css'
import './styles.css'

export default function Tools({ params }: PageProps) {
  if (params.tool === 'new') return <NewTool />
  if (params.tool === 'import') return params.tab === 'mcp' ? <ImportMCP /> : <ImportOpenAPI />
  return params.tool ? <ToolPage key={params.tool} id={params.tool} tab={params.tab ?? 'definition'} /> : <ToolsList />
}
