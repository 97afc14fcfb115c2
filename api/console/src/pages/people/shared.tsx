import { here, type Role } from '../../api/session'
import { t } from './messages'

export const roles: Role[] = ['viewer', 'editor', 'admin', 'owner']

// mayGive tells whether the person may give a role: none above the own one.
export const mayGive = (role: Role) => roles.indexOf(role) <= roles.indexOf(here.value?.role ?? 'viewer')

export const roleOptions = () => roles.filter(mayGive).map((r) => ({ value: r, label: t(r) }))
export const roleHint = (role: string) => t(`${role}Hint` as 'viewerHint')
