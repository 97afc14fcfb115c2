package providers_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/anthropic"
	"github.com/parley/parley/modules/conversations/adapters/modeltest"
	"github.com/parley/parley/modules/conversations/adapters/openai"
	"github.com/parley/parley/modules/conversations/adapters/providers"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/work/webhook"
)

func both(client *http.Client) *providers.Providers {
	return providers.New(map[string]providers.Provider{"openai": openai.Model{Guarded: client}, "anthropic": anthropic.Model{Guarded: client}})
}

func each(t *testing.T, test func(t *testing.T, provider string)) {
	t.Helper()
	for _, provider := range []string{"openai", "anthropic"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			test(t, provider)
		})
	}
}

func in(t *testing.T, workspace uuid.UUID) context.Context {
	t.Helper()
	return callctx.As(t.Context(), workspace, uuid.Nil)
}

func TestAListIsRememberedForOneWorkspaceAndKey(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, provider string) {
		t.Helper()
		s := modeltest.NewCatalog(t, modeltest.Listing{Names: []string{"a", "b"}})
		p, ada, eve := both(webhook.NewStreamClient(webhook.AnyTargets)), uuid.New(), uuid.New()
		own := ports.Access{Key: "sk-one-key", BaseURL: s.URL}
		for n, asked := range []struct {
			workspace uuid.UUID
			own       ports.Access
			calls     int
		}{
			{ada, own, 1}, {ada, own, 1}, {eve, own, 2}, {ada, ports.Access{Key: "sk-another", BaseURL: s.URL}, 3},
			{ada, ports.Access{Key: "sk-one-key", BaseURL: s.URL + "/x"}, 4}, {ada, own, 4},
		} {
			names, cut, err := p.List(in(t, asked.workspace), provider, asked.own)
			require.NoError(t, err)
			require.False(t, cut)
			require.Equal(t, []string{"a", "b"}, names)
			require.Len(t, s.Listed(), asked.calls, "%d", n)
		}
		s.Lists(modeltest.Listing{Status: http.StatusInternalServerError, Code: "down"})
		for range 3 {
			_, _, err := p.List(in(t, uuid.Nil), provider, own)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "sk-one-key")
		}
		require.Len(t, s.Listed(), 5, "a provider that fails is asked again and again")
	})
}

func TestAListHasABound(t *testing.T) {
	t.Parallel()
	many := make([]string, 700)
	for i := range many {
		many[i] = fmt.Sprint("model-", i)
	}
	each(t, func(t *testing.T, provider string) {
		t.Helper()
		s := modeltest.NewCatalog(t, modeltest.Listing{Names: many})
		p := both(webhook.NewStreamClient(webhook.AnyTargets))
		names, cut, err := p.List(in(t, uuid.New()), provider, ports.Access{Key: "sk-one-key", BaseURL: s.URL})
		require.NoError(t, err)
		require.True(t, cut)
		require.Len(t, names, 500)
		s.Lists(modeltest.Listing{Names: many[:1], Bytes: 2 << 20})
		_, _, err = p.List(in(t, uuid.New()), provider, ports.Access{Key: "sk-one-key", BaseURL: s.URL})
		require.Error(t, err, "a body without end is read")
	})
}

func TestAProviderThatHangsIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, provider string) {
		t.Helper()
		s := modeltest.NewCatalog(t, modeltest.Listing{Hangs: true})
		p := both(webhook.NewStreamClient(webhook.AnyTargets))
		own := ports.Access{Key: "sk-one-key", BaseURL: s.URL}
		ctx, cancel := context.WithTimeout(in(t, uuid.New()), 200*time.Millisecond)
		defer cancel()
		_, _, err := p.List(ctx, provider, own)
		require.ErrorContains(t, err, "did not answer")
		s.Lists(modeltest.Listing{Names: []string{"a"}})
		_, _, err = p.List(context.WithoutCancel(ctx), provider, own)
		require.NoError(t, err, "that a caller went is remembered as a failure of the provider")
	})
}

func TestNoKeyLeadsIntoOurNetwork(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, provider string) {
		t.Helper()
		s := modeltest.NewCatalog(t, modeltest.Listing{})
		p := both(webhook.NewStreamClient(webhook.PublicTargets))
		own := ports.Access{Key: "sk-one-key", BaseURL: s.URL}
		_, _, err := p.List(in(t, uuid.New()), provider, own)
		require.ErrorContains(t, err, "the address is not public")
		require.ErrorContains(t, p.Try(in(t, uuid.New()), provider, "", own), "the address is not public")
		require.ErrorContains(t, p.Try(in(t, uuid.New()), provider, "a", own), "the address is not public")
		require.Empty(t, s.Listed())
		require.Empty(t, s.Calls())
	})
}
