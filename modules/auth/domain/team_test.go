package domain_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
)

func TestWhoMayChangeWhoseRole(t *testing.T) {
	t.Parallel()
	owner, other, admin, editor, viewer, stranger := uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New()
	for name, test := range map[string]struct {
		by, who uuid.UUID
		to      domain.Role
		alone   bool // there is one owner
		want    error
	}{
		"an owner makes an owner":              {owner, editor, domain.Owner, true, nil},
		"an owner lowers an owner":             {owner, other, domain.Viewer, false, nil},
		"an owner steps down":                  {owner, owner, domain.Admin, false, nil},
		"the last owner steps down":            {owner, owner, domain.Admin, true, domain.ErrLastOwner},
		"the last owner stays one":             {owner, owner, domain.Owner, true, nil},
		"an admin makes an admin":              {admin, viewer, domain.Admin, true, nil},
		"an admin makes an owner":              {admin, viewer, domain.Owner, true, domain.ErrRoleTooHigh},
		"an admin lowers an owner":             {admin, owner, domain.Viewer, false, domain.ErrRoleTooHigh},
		"an admin raises itself":               {admin, admin, domain.Owner, true, domain.ErrOwnRole},
		"an admin steps down":                  {admin, admin, domain.Viewer, true, nil},
		"an editor raises itself":              {editor, editor, domain.Admin, true, domain.ErrNotPermitted},
		"a viewer lowers an editor":            {viewer, editor, domain.Viewer, true, domain.ErrNotPermitted},
		"a stranger":                           {stranger, viewer, domain.Viewer, true, domain.ErrNotPermitted},
		"one who is no member is given a role": {owner, stranger, domain.Viewer, true, domain.ErrNoMember},
	} {
		team := domain.Team{owner: domain.Owner, admin: domain.Admin, editor: domain.Editor, viewer: domain.Viewer}
		if !test.alone {
			team[other] = domain.Owner
		}
		before := team[test.who]
		err := team.ChangeRole(test.by, test.who, test.to)
		if test.want != nil {
			require.ErrorIs(t, err, test.want, name)
			require.Equal(t, before, team[test.who], name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, test.to, team[test.who], name)
	}
}

func TestWhoMayRemoveWhom(t *testing.T) {
	t.Parallel()
	owner, admin, editor := uuid.New(), uuid.New(), uuid.New()
	team := domain.Team{owner: domain.Owner, admin: domain.Admin, editor: domain.Editor}
	require.ErrorIs(t, team.Remove(editor, admin), domain.ErrNotPermitted)
	require.ErrorIs(t, team.Remove(admin, owner), domain.ErrRoleTooHigh)
	require.ErrorIs(t, team.Remove(owner, owner), domain.ErrLastOwner)
	require.ErrorIs(t, team.Leave(owner), domain.ErrLastOwner)
	require.ErrorIs(t, team.Leave(uuid.New()), domain.ErrNoMember)
	require.NoError(t, team.Leave(editor))
	require.ErrorIs(t, team.Remove(owner, editor), domain.ErrNoMember)
	require.NoError(t, team.Remove(owner, admin))
	require.Len(t, team, 1)
}

func TestAuthorityOfARoleIsNeverMoreThanTheRole(t *testing.T) {
	t.Parallel()
	all, keys := []domain.Role{domain.Owner, domain.Admin, domain.Editor, domain.Viewer}, []domain.Role{domain.Editor, domain.Viewer, domain.Chat, domain.Embed}
	for role, want := range map[domain.Role]domain.Authority{
		domain.Owner:  {Invites: all, Keys: keys, Subscribes: true},
		domain.Admin:  {Invites: all[1:], Keys: keys, Subscribes: true},
		domain.Editor: {Keys: keys, Subscribes: true},
		domain.Viewer: {Keys: keys[1:2]},
		"":            {},
	} {
		require.Equal(t, want, domain.AuthorityOf(role), "%q", role)
	}
}
