package main

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

// A sender of either convention is heard: the library of Standard Webhooks signs, and the names of its headers differ.
func TestASenderMayUseTheHeadersOfSvix(t *testing.T) {
	t.Parallel()
	p := start(t, fastJobs...)
	ada := p.register(t)
	chat := ada.newEndpoint(t, ada.newBot(t))
	signer, err := standardwebhooks.NewWebhook(chat.secret)
	require.NoError(t, err)
	for _, names := range [][3]string{
		{"webhook-id", "webhook-timestamp", "webhook-signature"}, {"svix-id", "svix-timestamp", "svix-signature"}, {"Svix-Id", "Svix-Timestamp", "Svix-Signature"},
	} {
		id, now, body := "msg_"+uuid.NewString(), time.Now(), said("c", names[0])
		signature, err := signer.Sign(id, now, []byte(body))
		require.NoError(t, err)
		send := func(body string) answer {
			t.Helper()
			return chat.anonymous().post(t, "/v1/webhooks/"+chat.id, body,
				header{names[0], id}, header{names[1], strconv.FormatInt(now.Unix(), 10)}, header{names[2], signature})
		}
		requireCode(t, send(body+" "), http.StatusUnauthorized, "UNAUTHORIZED")
		a := send(body)
		require.Equal(t, http.StatusOK, a.Status, a)
		require.Equal(t, false, a.at("duplicate"))
		require.Equal(t, true, send(body).at("duplicate"))
		ada.waitUntil(t, "/v1/webhook-events/"+a.text("event_id"), "status", "processed")
	}
}
