package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/config"
)

const oidcWorkspace = "01a2243a-4faf-77c2-b22c-53719630b928"

func TestIdentityProvidersAreRead(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{`OIDC_PROVIDERS=[{"id":"google","issuer":"https://accounts.google.com","client_id":"a"},
		{"id":"corp","name":"Corp","issuer":"http://127.0.0.1:9","client_id":"b","client_secret":"hush-hush","scopes":["openid","email","groups"],
		"groups_claim":"groups","verified_claim":"xms_edov","roles":[{"group":"staff","workspace":"` + oidcWorkspace + `","role":"editor"}]}]`,
		"CORS_ALLOW_ORIGINS=https://app.example.com,*"})
	require.NoError(t, err)
	list := c.OIDCProviders()
	require.Len(t, list, 2)
	require.Equal(t, []any{"google", []string{"openid", "email", "profile"}, "email_verified", ""}, []any{list[0].Name, list[0].Scopes, list[0].VerifiedClaim, list[0].ClientSecret})
	require.Equal(t, []any{"Corp", []string{"openid", "email", "groups"}, "xms_edov", oidcWorkspace}, []any{list[1].Name, list[1].Scopes, list[1].VerifiedClaim, list[1].Roles[0].Workspace.String()})
	require.Equal(t, []string{"http://127.0.0.1:8080", "https://app.example.com"}, c.ReturnOrigins(), "* is no origin")
	require.NotContains(t, c.Hide("wrong client hush-hush"), "hush")
}

func TestAWrongIdentityProviderStopsTheStartWithOneLine(t *testing.T) {
	t.Parallel()
	provider := func(more string) string {
		return `[{"id":"corp","issuer":"https://id.example.com","client_id":"a","client_secret":"secret-of-corp"` + more + `}]`
	}
	for setting, want := range map[string]string{
		`x`:                      "should be a JSON array",
		`{}`:                     "should be a JSON array",
		`[]`:                     "should have from 1 to 20",
		provider("") + `{}`:      "nothing behind it",
		provider(`,"secret":1`):  "should be a JSON array",
		provider(`,"scopes":1`):  "should be a JSON array",
		provider(`,"id":"Corp"`): "provider 1: id should be",
		strings.Replace(provider(""), "}]", "},"+provider("")[1:], 1):                                              "provider 2: id should be",
		provider(`,"issuer":"http://id.example.com"`):                                                              "corp: issuer should be",
		provider(`,"issuer":"https://id.example.com?x=1"`):                                                         "corp: issuer should be",
		provider(`,"issuer":"id.example.com"`):                                                                     "corp: issuer should be",
		provider(`,"issuer":"https://u:p@id.example.com"`):                                                         "corp: issuer should be",
		provider(`,"client_id":""`):                                                                                "corp: client_id should be",
		provider(`,"client_secret":"a secret"`):                                                                    "corp: client_secret should",
		provider(`,"scopes":["a b"]`):                                                                              "corp: scopes should",
		provider(`,"roles":[{"group":"a","workspace":"` + oidcWorkspace + `","role":"viewer"}]`):                   "corp: groups_claim must be set",
		provider(`,"groups_claim":"g","roles":[{"group":"a","workspace":"` + oidcWorkspace + `","role":"boss"}]`):  "corp: item 1 of roles",
		provider(`,"groups_claim":"g","roles":[{"group":"a","workspace":"w","role":"viewer"}]`):                    "should be a JSON array",
		provider(`,"groups_claim":"g","roles":[{"group":"","workspace":"` + oidcWorkspace + `","role":"viewer"}]`): "corp: item 1 of roles",
		provider(`,"name":"` + strings.Repeat("x", 1001) + `"`):                                                    "corp: no text should be longer",
	} {
		_, err := config.Load([]string{"OIDC_PROVIDERS=" + setting})
		require.ErrorContains(t, err, "OIDC_PROVIDERS: ", setting)
		require.ErrorContains(t, err, want, setting)
		require.NotContains(t, err.Error(), "\n", setting)
		require.NotContains(t, err.Error(), "secret-of-corp")
	}
	production := []string{"APP_ENV=production", "EMBEDDED=true", "SIGN_UP=open", "OIDC_PROVIDERS=" + provider("")}
	_, err := config.Load(production)
	require.EqualError(t, err, "OIDC_PROVIDERS: PUBLIC_URL must be set beside it in production, to the address that providers send people back to")
	_, err = config.Load(append(production, "PUBLIC_URL=https://api.example.com"))
	require.NoError(t, err)
	_, err = config.Load(append(production[:3:3], "PUBLIC_URL=https://api.example.com", fmt.Sprintf("OIDC_PROVIDERS=%s", strings.Replace(provider(""), "https://id.example.com", "http://127.0.0.1", 1))))
	require.ErrorContains(t, err, "corp: issuer should be")
}
