package usecases

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// TestModelKey tests a workspace's own key with one call to its provider.
type TestModelKey struct {
	Keys      ports.OwnKeys
	Providers ports.Providers
	Limits    ports.TestLimits
	Tests     ports.KeyTests
	Timeout   time.Duration
	Now       func() time.Time
}

// Do tests the key for a provider and, if a model is named, whether that model answers with the key. A repetition receives
// the stored answer, without another call to the provider. Neither a transaction nor a connection is held during that call.
// It returns ErrModelKeyNotFound where the workspace has no key of its own, and RATE_LIMIT_EXCEEDED where it tests too often.
func (u TestModelKey) Do(ctx context.Context, workspace uuid.UUID, provider, model string) (ports.Answer, error) {
	if answer, found, err := u.Tests.Find(ctx); found || err != nil {
		return answer, err
	}
	result, err := u.test(ctx, workspace, provider, model)
	if err != nil {
		return ports.Answer{}, err
	}
	return u.Tests.Record(ctx, provider, model, result)
}

func (u TestModelKey) test(ctx context.Context, workspace uuid.UUID, provider, model string) (domain.KeyTest, error) {
	name := ""
	if model != "" {
		m, err := domain.ParseModel(model)
		if err != nil || m.Provider != provider {
			return domain.KeyTest{}, fail.Fields(fail.Field{Field: "model", Code: "INVALID", Message: "must be a model of this provider, such as " + provider + "/name"})
		}
		name = m.Name
	}
	keys, err := u.Keys.OwnKeys(ctx)
	if err != nil {
		return domain.KeyTest{}, err
	}
	key, ok := keys[provider]
	if !ok {
		return domain.KeyTest{}, ports.ErrModelKeyNotFound
	}
	if err := u.Limits.Allow(ctx, "model key test:"+workspace.String()); err != nil {
		return domain.KeyTest{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, u.Timeout)
	defer cancel()
	start := u.Now()
	err = u.Providers.Try(ctx, provider, name, key)
	return keyTest(err, u.Now().Sub(start)), nil
}

// keyTest returns the result of a test that ended with an error. A model that has accepted the key and returned no
// text, because it had few tokens or refused to answer, shows that the key works.
func keyTest(err error, took time.Duration) domain.KeyTest {
	test := domain.KeyTest{Latency: took}
	switch {
	case err == nil, errors.Is(err, ports.ErrEmptyAnswer), errors.Is(err, ports.ErrContentFiltered):
	case ports.PermanentModelFailure(err):
		why := fail.From(err)
		test.Code, test.Message = why.Code, why.Message
		test.ProviderCode, _ = why.Details["provider_code"].(string)
	default:
		test.Code, test.Message = ports.ErrModel.Code, "the provider did not answer as it should: "+err.Error()
	}
	return test
}
