// Who may do what, as modules/auth/domain/permission.go has it; a test compares both.
import { here, type Role } from './session'

export const roles: Record<string, readonly Role[]> = {
  'bots.read': ['owner', 'admin', 'editor', 'viewer'],
  'bots.list': ['owner', 'admin', 'editor', 'viewer'],
  'bots.write': ['owner', 'admin', 'editor'],
  'tools.read': ['owner', 'admin', 'editor', 'viewer'],
  'tools.write': ['owner', 'admin', 'editor'],
  'bots.delete': ['owner', 'admin'],
  'threads.read': ['owner', 'admin', 'editor', 'viewer'],
  'retrievals.read': ['owner', 'admin', 'editor', 'viewer'],
  'tool_calls.read': ['owner', 'admin', 'editor', 'viewer'],
  'tools.approve': ['owner', 'admin', 'editor'],
  'turns.take': ['owner', 'admin', 'editor'],
  'completions.create': ['owner', 'admin', 'editor'],
  'embeddings.create': ['owner', 'admin', 'editor'],
  'threads.delete': ['owner', 'admin', 'editor'],
  'end_users.read': ['owner', 'admin', 'editor', 'viewer'],
  'end_users.manage': ['owner', 'admin', 'editor'],
  'end_users.merge': ['owner', 'admin', 'editor'],
  'files.read': ['owner', 'admin', 'editor', 'viewer'],
  'files.write': ['owner', 'admin', 'editor'],
  'knowledge.read': ['owner', 'admin', 'editor', 'viewer'],
  'knowledge.write': ['owner', 'admin', 'editor'],
  'models.read': ['owner', 'admin', 'editor'],
  'models.manage': ['owner', 'admin'],
  'webhooks.read': ['owner', 'admin', 'editor'],
  'webhooks.manage': ['owner', 'admin', 'editor'],
  'usage.read': ['owner', 'admin', 'editor', 'viewer'],
  'jobs.read': ['owner', 'admin', 'editor'],
  'jobs.manage': ['owner', 'admin'],
  'audit.read': ['owner', 'admin'],
  'workspace.read': ['owner', 'admin', 'editor', 'viewer'],
  'workspace.manage': ['owner', 'admin'],
  'workspace.secure': ['owner'],
  'workspace.export': ['owner', 'admin'],
  'workspace.delete': ['owner'],
  'members.read': ['owner', 'admin', 'editor', 'viewer'],
  'members.manage': ['owner', 'admin'],
  'keys.manage': ['owner', 'admin'],
}

// may tells whether the person may do something in the workspace. What may not be done is not shown.
export function may(permission: string): boolean {
  const role = here.value?.role
  return role !== undefined && (roles[permission]?.includes(role) ?? false)
}
