package main

import (
	"github.com/parley/parley/modules/auth/adapters/postgres"
	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/entrypoints/rest"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/modules/auth/usecases"
	"github.com/parley/parley/platform/gateway"
	"github.com/parley/parley/platform/page"
)

// permissions tell the gateway, which knows no roles, who may do what.
func permissions() map[string]gateway.Permission {
	all := map[string]gateway.Permission{}
	for _, rule := range domain.Rules() {
		var p gateway.Permission
		for _, role := range rule.Roles() {
			p.Roles = append(p.Roles, string(role))
		}
		all[string(rule.Permission)] = p
	}
	return all
}

func newPeople(p *platform) rest.People {
	workspaces, members := postgres.NewWorkspaces(p.db), postgres.NewMembers(p.db)
	key := p.master.Key("cursor")
	return rest.People{
		Create:           usecases.CreateWorkspace{Workspaces: workspaces, Now: p.now},
		Rename:           usecases.RenameWorkspace{Workspaces: workspaces},
		ChangeRole:       usecases.ChangeRole{Members: members},
		Remove:           usecases.RemoveMember{Members: members},
		Workspaces:       workspaces,
		Members:          members,
		WorkspaceCursors: page.NewCursors[ports.Position](key, "workspaces"),
		MemberCursors:    page.NewCursors[ports.Position](key, "members"),
	}
}
