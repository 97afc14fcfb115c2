package knowledge

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/cmd/parley/tests/harness"
	"github.com/parley/parley/modules/knowledge/adapters/embeddingtest"
)

func TestDocumentsOfAnAccountWithoutAProofWaitForIt(t *testing.T) {
	t.Parallel()
	fake := embeddingtest.New(t)
	p := harness.Start(t, append([]string{"EMAIL_VERIFICATION=required", "EMBEDDING_BASE_URL=" + fake.BaseURL(), "EMBEDDING_MODEL=" + embeddingtest.Model}, harness.FastJobs...)...)
	ada := p.Register(t)
	base := ada.NewBase(t, model(embeddingtest.Model))
	document := ada.AddText(t, base, "Kettle", "Fill the kettle with fresh water")
	ada.WaitUntil(t, document, "error.code", "EMAIL_NOT_VERIFIED")
	require.Zero(t, fake.Texts())

	p.SQL(t, `UPDATE users SET verified_at = now() WHERE id = $1`, ada.User)
	p.SQL(t, `UPDATE job_queue SET run_at = now() WHERE kind = 'document.ingest'`)
	ada.WaitUntil(t, document, "status", "ready")
	require.Equal(t, []string{"Kettle"}, harness.Titles(ada.Find(t, base, "fresh water", mode("vector"))))
}
