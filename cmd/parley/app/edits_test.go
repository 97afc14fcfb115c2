package app

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEditsOfOneBotAtOnceBecomeVersionsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	ada := start(t).register(t)
	path := "/v1/bots/" + ada.post(t, "/v1/bots", map[string]any{"name": "Support"}).text("id")
	const edits = 24
	answers := make([]answer, edits)
	var all sync.WaitGroup
	for i := range edits {
		all.Go(func() {
			answers[i] = ada.put(t, path+"/instruction", map[string]any{"instruction": fmt.Sprint("edit ", i)})
		})
	}
	all.Wait()
	versions := map[any]bool{}
	for _, a := range answers {
		require.Equal(t, http.StatusOK, a.Status, a)
		versions[a.at("current_version")] = true
	}
	require.Len(t, versions, edits, "each edit has a version of its own")
	require.EqualValues(t, edits+1, ada.get(t, path).at("current_version"))
}
