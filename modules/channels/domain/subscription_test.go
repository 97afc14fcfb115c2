package domain_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/channels/domain"
)

func TestWhoRedirectsASubscriptionIsResponsibleUnlessItIsHeld(t *testing.T) {
	t.Parallel()
	ada, eve, now := uuid.New(), uuid.New(), time.Now()
	s := domain.NewSubscription("https://a.example/", []string{"bot.updated"}, nil, ada, now)
	s.Redirect("https://a.example/", eve)
	require.Equal(t, ada, s.ResponsibleID, "nothing has changed")
	s.Redirect("https://b.example/", eve)
	require.Equal(t, []any{"https://b.example/", eve}, []any{s.URL, s.ResponsibleID})
	s.HeldAt = &now
	s.Redirect("https://c.example/", ada)
	require.Equal(t, []any{"https://c.example/", eve}, []any{s.URL, s.ResponsibleID}, "it has to be adopted")
}

func TestAPersonWhoSetsTheStatusEndsTheFailures(t *testing.T) {
	t.Parallel()
	now, reason := time.Now(), "the target answered 410 Gone"
	s := domain.Subscription{Status: "disabled", DisabledReason: &reason, FailingSince: &now}
	s.SetStatus(domain.SubscriptionActive)
	require.Equal(t, domain.Subscription{Status: domain.SubscriptionActive}, s)
}
