package modellist_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/conversations/adapters/modellist"
)

func TestAListIsReadAsProvidersSendIt(t *testing.T) {
	t.Parallel()
	for body, names := range map[string][]string{
		`{"object":"list","data":[{"id":"gpt-4o-mini","object":"model","created":1721172741,"owned_by":"system"},{"id":"o3","object":"model"}]}`: {"gpt-4o-mini", "o3"},
		`{"data":[{"type":"model","id":"claude-sonnet-4-5","display_name":"Claude"}],"has_more":false,"first_id":"x","last_id":"x"}`:             {"claude-sonnet-4-5"},
		`{"object":"list","data":null}`: nil, // Ollama without models
		`{"data":[]}`:                   nil,
	} {
		got, more, err := modellist.Read(strings.NewReader(body))
		require.NoError(t, err, body)
		require.False(t, more)
		require.Equal(t, names, got, body)
	}
	_, more, err := modellist.Read(strings.NewReader(`{"data":[{"id":"a"}],"has_more":true}`))
	require.NoError(t, err)
	require.True(t, more)
	for _, body := range []string{"", "<html>", `{"error":"no"}`, `[]`, `{"data":{}}`, `{"data":[{"id":7}]}`, `{"data":[`, `"` + strings.Repeat("x", 2<<20) + `"`} {
		_, _, err := modellist.Read(strings.NewReader(body))
		require.ErrorContains(t, err, "did not list its models")
	}
}
