package usecases

import (
	"context"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/modules/bots/ports"
)

// setCredentials sets or removes the credentials of a tool. They stay bound to the host that they were given for: a tool that calls another
// one by now needs them again.
func setCredentials(ctx context.Context, store ports.ToolCredentials, checkURL func(raw string) error, t *domain.Tool, c domain.CredentialsChange, e domain.Edition) error {
	origin := domain.Origin(t.Definition.URL)
	switch {
	case !c.Given && t.Credentials != nil && t.Credentials.Origin != origin:
		return &domain.RuleError{Field: "url", Rule: "leads to another host than the credentials were given for: send credentials too, or null for none"}
	case !c.Given:
		return nil
	case c.New == nil:
		t.Credentials = nil
		return store.Delete(ctx, t.ID)
	}
	if err := checkCredentials(*c.New, t.Kind, checkURL); err != nil {
		return err
	}
	t.Credentials = &domain.SetCredentials{Type: c.New.Type, Origin: origin, At: e.At}
	return store.Put(ctx, t.ID, *t.Credentials, *c.New, e.By)
}

// checkCredentials returns a *domain.RuleError where a tool of a kind cannot have the credentials.
func checkCredentials(c domain.Credentials, kind domain.ToolKind, checkURL func(raw string) error) error {
	if err := c.Check(kind); err != nil {
		return err
	}
	if c.TokenURL == "" {
		return nil
	}
	if err := checkURL(c.TokenURL); err != nil {
		return &domain.RuleError{Field: "credentials.token_url", Rule: err.Error()}
	}
	return nil
}
