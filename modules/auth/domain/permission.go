package domain

import "slices"

// Permission is what a call needs. The OpenAPI document names it for each call (x-permission).
type Permission string

// The permissions that use cases check themselves. The others are checked only when a transaction begins.
const (
	manageMembers  Permission = "members.manage"
	manageWebhooks Permission = "webhooks.manage"
	takeTurns      Permission = "turns.take"
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
	// Only are roles beside those of members that have the permission: Chat and Embed of API keys, and EndUserRole.
	Only []Role
}

// Rules returns the table of permissions, roles and keys. The whole program uses this table.
func Rules() []Rule {
	const yes, no = true, false
	return []Rule{
		//                 owner admin editor viewer keys only
		{"bots.read", yes, yes, yes, yes, AnyKey, nil},
		{"bots.list", yes, yes, yes, yes, AnyKey, []Role{Chat}}, // names, to choose from
		{"bots.write", yes, yes, yes, no, AnyKey, nil},
		{"tools.read", yes, yes, yes, yes, AnyKey, nil}, // a limited key sees those that its bots may call
		{"tools.write", yes, yes, yes, no, WholeKey, nil},
		{"bots.delete", yes, yes, no, no, WholeKey, nil}, // for good, and with all that was said to it where that is asked for
		{"threads.read", yes, yes, yes, yes, AnyKey, []Role{Chat, EndUserRole}},
		{"retrievals.read", yes, yes, yes, yes, AnyKey, nil}, // what a turn has found, cited or not
		{"tool_calls.read", yes, yes, yes, yes, AnyKey, nil},
		{"tools.approve", yes, yes, yes, no, AnyKey, nil}, // of the bots of a limited key
		{takeTurns, yes, yes, yes, no, AnyKey, []Role{Chat, EndUserRole}},
		{"completions.create", yes, yes, yes, no, AnyKey, []Role{Chat, EndUserRole}},
		{"embeddings.create", yes, yes, yes, no, WholeKey, nil}, // vectors of any text, which are of no bot
		{"threads.delete", yes, yes, yes, no, AnyKey, nil},      // a limited key erases what was said to its bots
		{"end_user_tokens.create", no, no, no, no, AnyKey, []Role{Embed}},
		{"end_users.read", yes, yes, yes, yes, WholeKey, nil},
		{"end_users.manage", yes, yes, yes, no, WholeKey, nil},
		{"end_users.merge", yes, yes, yes, no, AnyKey, []Role{Embed}},         // a limited key merges those of its bots
		{"files.read", yes, yes, yes, yes, AnyKey, []Role{Chat, EndUserRole}}, // a limited key and an end user have those that they upload
		{"files.write", yes, yes, yes, no, AnyKey, []Role{Chat, EndUserRole}},
		{"knowledge.read", yes, yes, yes, yes, AnyKey, nil}, // a limited key sees what its bots know
		{"knowledge.write", yes, yes, yes, no, WholeKey, nil},
		{"models.read", yes, yes, yes, no, WholeKey, nil},
		{"models.manage", yes, yes, no, no, NoKey, nil},
		{"webhooks.read", yes, yes, yes, no, WholeKey, nil},
		{manageWebhooks, yes, yes, yes, no, WholeKey, nil},
		{"usage.read", yes, yes, yes, yes, WholeKey, nil},
		{"jobs.read", yes, yes, yes, no, WholeKey, nil},
		{"jobs.manage", yes, yes, no, no, NoKey, nil},
		{"audit.read", yes, yes, no, no, NoKey, nil},
		{"workspace.read", yes, yes, yes, yes, NoKey, nil},
		{"workspace.manage", yes, yes, no, no, NoKey, nil},
		{"workspace.secure", yes, no, no, no, NoKey, nil},
		{"workspace.export", yes, yes, no, no, NoKey, nil},
		{"workspace.delete", yes, no, no, no, NoKey, nil},
		{"members.read", yes, yes, yes, yes, NoKey, nil},
		{manageMembers, yes, yes, no, no, NoKey, nil},
		{"keys.manage", yes, yes, no, no, NoKey, nil},
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
	return append(roles, r.Only...)
}

// May reports whether a role has a permission.
func (r Role) May(p Permission) bool {
	return slices.ContainsFunc(Rules(), func(rule Rule) bool {
		return rule.Permission == p && slices.Contains(rule.Roles(), r)
	})
}

// MayInvite reports whether a role may invite a person with another role.
func (r Role) MayInvite(with Role) bool { return r.May(manageMembers) && !with.Above(r) }

// Above reports whether a role has more permissions than another.
func (r Role) Above(other Role) bool {
	order := []Role{Viewer, Editor, Admin, Owner}
	return slices.Index(order, r) > slices.Index(order, other)
}
