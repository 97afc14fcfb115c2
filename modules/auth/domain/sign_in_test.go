package domain_test

import (
	"crypto/sha256"
	"encoding/base64"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
)

func TestASignInLeadsToNoOtherOrigin(t *testing.T) {
	t.Parallel()
	origins := []string{"https://api.example.com", "http://localhost:3000"}
	for _, good := range []string{
		"https://api.example.com", "https://api.example.com/", "https://API.example.com:443/app?x=1&y=/", "http://localhost:3000/in",
	} {
		require.NoError(t, domain.CheckReturnTo(good, origins), good)
	}
	for _, bad := range []string{
		"", "/app", "//evil.example", "//api.example.com/", `\\evil.example`, `https:\\evil.example`, `https://api.example.com\@evil.example/`,
		"https://evil.example/https://api.example.com", "https://api.example.com.evil.example/", "https://api.example.com@evil.example/",
		"https://user@api.example.com/", "http://api.example.com/", "https://api.example.com:444/", "http://localhost/", "https:api.example.com",
		"https:///api.example.com", "javascript:alert(1)", "data:text/html,x", "https://api.example.com/#x", "https://api.example.com/\r\nSet-Cookie: a=b",
		" https://api.example.com/", "https://api.example.com/ x", "https://evil.example?https://api.example.com", "https://evil.example#https://api.example.com",
		"https://[::1]/", "ftp://api.example.com/",
	} {
		require.ErrorIs(t, domain.CheckReturnTo(bad, origins), domain.ErrReturnTo, bad)
	}
}

func TestASignInComesBackWithOneCodeOrError(t *testing.T) {
	t.Parallel()
	require.Equal(t, "https://a.example/in?code=sic_1&x=1", domain.ReturnWith("https://a.example/in?x=1&code=of-an-attacker&error=old", "code", "sic_1"))
	require.Equal(t, "https://a.example?error=X", domain.ReturnWith("https://a.example", "error", "X"))
}

func TestASignInIsOfItsProviderStateAndTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := domain.NewSignIn("corp", "https://a.example", "", now)
	require.True(t, s.IsOf("corp", s.State, now))
	require.False(t, s.IsOf("other", s.State, now))
	require.False(t, s.IsOf("corp", s.Nonce, now))
	require.False(t, s.IsOf("corp", "", now))
	require.False(t, s.IsOf("corp", s.State, now.Add(domain.SignInLife)))
	other := domain.NewSignIn("corp", "https://a.example", "", now)
	require.NotContains(t, []string{s.State, s.Nonce, s.Verifier, s.Browser}, other.State)
	require.NotEqual(t, s.Nonce, s.Verifier)
}

func TestACodeIsForWhoHasBegunTheSignIn(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := domain.NewSignIn("corp", "https://a.example", "", now)
	done, code := s.Finish(domain.Assertion{}, now)
	require.Regexp(t, "^"+domain.SignInCodeFormat+"$", code)
	require.True(t, done.MayBeTaken("", []string{"x", s.Browser}, now))
	require.False(t, done.MayBeTaken("", nil, now))
	require.False(t, done.MayBeTaken("", []string{"", s.State, s.Verifier}, now))
	require.False(t, done.MayBeTaken("", []string{s.Browser}, now.Add(domain.SignInCodeLife)))

	const verifier = "a verifier of an application, which only it has"
	digest := sha256.Sum256([]byte(verifier))
	done, _ = domain.NewSignIn("corp", "https://a.example", base64.RawURLEncoding.EncodeToString(digest[:]), now).Finish(domain.Assertion{}, now)
	require.True(t, done.MayBeTaken(verifier, nil, now))
	require.False(t, done.MayBeTaken("", []string{s.Browser}, now))
	require.False(t, done.MayBeTaken(verifier+" ", nil, now))
}

func TestTheHighestRoleOfAllGroupsCounts(t *testing.T) {
	t.Parallel()
	one, two, three := uuid.New(), uuid.New(), uuid.New()
	p := domain.IdentityProvider{Roles: []domain.GroupRole{
		{Group: "admins", WorkspaceID: one, Role: domain.Admin}, {Group: "*", WorkspaceID: one, Role: domain.Viewer},
		{Group: "staff", WorkspaceID: one, Role: domain.Editor}, {Group: "staff", WorkspaceID: two, Role: domain.Viewer},
		{Group: "nobody", WorkspaceID: three, Role: domain.Owner},
	}}
	require.Equal(t, map[uuid.UUID]domain.Role{one: domain.Admin, two: domain.Viewer}, p.RolesOf([]string{"staff", "admins"}))
	require.Equal(t, map[uuid.UUID]domain.Role{one: domain.Viewer}, p.RolesOf(nil))
	require.Empty(t, domain.IdentityProvider{}.RolesOf([]string{"staff"}))
}

func TestAProviderTakesNoWorkspaceItsLastOwner(t *testing.T) {
	t.Parallel()
	ada, bob := uuid.New(), uuid.New()
	require.ErrorIs(t, domain.Team{ada: domain.Owner}.Assign(ada, domain.Viewer), domain.ErrLastOwner)
	require.ErrorIs(t, domain.Team{ada: domain.Owner}.Assign(bob, domain.Viewer), domain.ErrNoMember)
	team := domain.Team{ada: domain.Owner, bob: domain.Owner}
	require.NoError(t, team.Assign(ada, domain.Viewer))
	require.Equal(t, domain.Team{ada: domain.Viewer, bob: domain.Owner}, team)
}
