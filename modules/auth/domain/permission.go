package domain

import "slices"

// Permission is what a call needs. The OpenAPI document names it for each call (x-permission).
type Permission string

// The permissions that use cases check themselves. The others are checked only when a transaction begins.
const (
	ManageMembers  Permission = "members.manage"
	ManageWebhooks Permission = "webhooks.manage"
)

// KeyUse says which API keys may have a permission.
type KeyUse int

// The uses. A key has a role like a member, and never more than that role.
const (
	NoKey    KeyUse = iota // for people, or for the workspace itself
	WholeKey               // not a key that is limited to some bots, which would see data of other bots here
	AnyKey
)

// Rule states which roles and keys have a permission.
type Rule struct {
	Permission                   Permission
	Owner, Admin, Editor, Viewer bool
	Keys                         KeyUse
}

// Rules returns the table of permissions, roles and keys. The whole program uses this table.
func Rules() []Rule {
	const yes, no = true, false
	return []Rule{
		//                 owner admin editor viewer keys
		{"bots.read", yes, yes, yes, yes, AnyKey},
		{"bots.write", yes, yes, yes, no, AnyKey},
		{"threads.read", yes, yes, yes, yes, AnyKey},
		{"turns.take", yes, yes, yes, no, AnyKey},
		{"files.read", yes, yes, yes, yes, WholeKey},
		{"files.write", yes, yes, yes, no, WholeKey},
		{"models.read", yes, yes, yes, no, WholeKey},
		{"models.manage", yes, yes, no, no, NoKey},
		{"webhooks.read", yes, yes, yes, no, WholeKey},
		{ManageWebhooks, yes, yes, yes, no, WholeKey},
		{"usage.read", yes, yes, yes, yes, WholeKey},
		{"jobs.read", yes, yes, yes, no, WholeKey},
		{"jobs.manage", yes, yes, no, no, NoKey},
		{"audit.read", yes, yes, no, no, NoKey},
		{"workspace.read", yes, yes, yes, yes, NoKey},
		{"workspace.manage", yes, yes, no, no, NoKey},
		{"workspace.delete", yes, no, no, no, NoKey},
		{"members.read", yes, yes, yes, yes, NoKey},
		{ManageMembers, yes, yes, no, no, NoKey},
		{"keys.manage", yes, yes, no, no, NoKey},
	}
}

// Roles returns the roles that have the permission of a rule, from most to least.
func (r Rule) Roles() (roles []Role) {
	for _, cell := range []struct {
		role Role
		has  bool
	}{{Owner, r.Owner}, {Admin, r.Admin}, {Editor, r.Editor}, {Viewer, r.Viewer}} {
		if cell.has {
			roles = append(roles, cell.role)
		}
	}
	return roles
}

// May reports whether a role has a permission.
func (r Role) May(p Permission) bool {
	return slices.ContainsFunc(Rules(), func(rule Rule) bool {
		return rule.Permission == p && slices.Contains(rule.Roles(), r)
	})
}

// MayInvite reports whether a role may invite a person with another role.
func (r Role) MayInvite(with Role) bool { return r.May(ManageMembers) && !with.Above(r) }

// Above reports whether a role has more permissions than another.
func (r Role) Above(other Role) bool {
	order := []Role{Viewer, Editor, Admin, Owner}
	return slices.Index(order, r) > slices.Index(order, other)
}
