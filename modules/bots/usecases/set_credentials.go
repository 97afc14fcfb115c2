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
	if err := c.New.Check(t.Kind); err != nil {
		return err
	}
	if c.New.TokenURL != "" {
		if err := checkURL(c.New.TokenURL); err != nil {
			return &domain.RuleError{Field: "credentials.token_url", Rule: err.Error()}
		}
	}
	t.Credentials = &domain.SetCredentials{Type: c.New.Type, Origin: origin, At: e.At}
	return store.Put(ctx, t.ID, *t.Credentials, *c.New, e.By)
}
