package domain

import "slices"

// Permission is what a call needs; the document names it for each call (x-permission).
type Permission string

// The permissions that use cases ask for themselves; the others are held to at the entry of a transaction alone.
const (
	ManageMembers  Permission = "members.manage"
	ManageWebhooks Permission = "webhooks.manage"
)

// KeyUse says which API keys may have a permission.
type KeyUse int

// The uses. A key has a role like a member, and never more than that role.
const (
	NoKey    KeyUse = iota // about people, or about the workspace itself
	WholeKey               // not one that is limited to some bots, which would see those of others here
	AnyKey
)

// Rule says who has a permission.
type Rule struct {
	Permission                   Permission
	Owner, Admin, Editor, Viewer bool
	Keys                         KeyUse
}

// Rules is the table of who may do what. It is what the whole program goes by.
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

// Roles gives the roles that have the permission of a rule, from most to least.
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

// May tells whether a role has a permission.
func (r Role) May(p Permission) bool {
	return slices.ContainsFunc(Rules(), func(rule Rule) bool {
		return rule.Permission == p && slices.Contains(rule.Roles(), r)
	})
}

// MayInvite tells whether a role may invite somebody with another.
func (r Role) MayInvite(with Role) bool { return r.May(ManageMembers) && !with.Above(r) }

// Above tells whether a role is more than another.
func (r Role) Above(other Role) bool {
	order := []Role{Viewer, Editor, Admin, Owner}
	return slices.Index(order, r) > slices.Index(order, other)
}
