package turns

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
)

func TestEditsOfOneBotAtOnceBecomeVersionsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	ada := harness.Start(t).Register(t)
	path := "/v1/bots/" + ada.Post(t, "/v1/bots", map[string]any{"name": "Support"}).Text("id")
	const edits = 24
	answers := make([]harness.Answer, edits)
	var all sync.WaitGroup
	for i := range edits {
		all.Go(func() {
			answers[i] = ada.Put(t, path+"/instruction", map[string]any{"instruction": fmt.Sprint("edit ", i)})
		})
	}
	all.Wait()
	versions := map[any]bool{}
	for _, a := range answers {
		require.Equal(t, http.StatusOK, a.Status, a)
		versions[a.At("current_version")] = true
	}
	require.Len(t, versions, edits, "each edit has a version of its own")
	require.EqualValues(t, edits+1, ada.Get(t, path).At("current_version"))
}
