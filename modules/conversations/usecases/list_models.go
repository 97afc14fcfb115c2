package usecases

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// ListModels lists the models that a workspace can use.
type ListModels struct {
	Operator  ports.OperatorModels
	Keys      ports.OwnKeys
	Providers ports.Providers
}

// UsableModels is the result of ListModels.
type UsableModels struct {
	Models   []domain.UsableModel
	Patterns []string             // names that are served in addition to those of the list, such as openai/gpt-4o*
	Missing  []domain.ListFailure // why models are missing from the list
}

// codeListCut is the code of a provider that has more models than a list may have.
const codeListCut = "LIST_CUT"

// Do lists the operator's models, and those of the providers for which the workspace has keys of its own. The providers
// are called concurrently. Where a provider does not respond, only its models are missing.
func (u ListModels) Do(ctx context.Context) (UsableModels, error) {
	own, err := u.Keys.OwnKeys(ctx)
	if err != nil {
		return UsableModels{}, err
	}
	var found UsableModels
	offered, patterns := u.Operator.Offered()
	for _, m := range offered {
		if _, replaced := own[m.Provider]; !replaced {
			found.add(u.Operator, domain.OperatorKey, m)
		}
	}
	for _, pattern := range patterns {
		if provider := providerOf(pattern); own[provider] == (ports.Access{}) {
			found.Patterns = append(found.Patterns, pattern)
		}
	}
	var mu sync.Mutex
	var asked sync.WaitGroup
	for _, provider := range slices.Sorted(maps.Keys(own)) {
		asked.Go(func() {
			names, cut, err := u.Providers.List(ctx, provider, own[provider])
			mu.Lock()
			defer mu.Unlock()
			for _, name := range names {
				found.add(u.Operator, domain.OwnKey, domain.ModelName{Provider: provider, Name: name})
			}
			if err != nil {
				found.missing(provider, listFailure(err))
			}
			if cut {
				found.missing(provider, fail.New(fail.Invalid, codeListCut, "the provider has more models than are listed here: they can be used all the same"))
			}
		})
	}
	asked.Wait()
	slices.SortFunc(found.Models, func(a, b domain.UsableModel) int { return cmp.Compare(a.String(), b.String()) })
	slices.SortFunc(found.Missing, func(a, b domain.ListFailure) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Code, b.Code))
	})
	return found, nil
}

func (f *UsableModels) add(known ports.OperatorModels, source domain.KeySource, m domain.ModelName) {
	f.Models = append(f.Models, domain.UsableModel{ModelName: m, Source: source, ModelFacts: known.Facts(m)})
}

func (f *UsableModels) missing(provider string, why *fail.Error) {
	f.Missing = append(f.Missing, domain.ListFailure{Provider: provider, Source: domain.OwnKey, Code: why.Code, Message: why.Message})
}

// listFailure returns the error for callers of a failure to list. It has the reason where the key is the cause.
func listFailure(err error) *fail.Error {
	if ports.PermanentModelFailure(err) || errors.Is(err, fail.ErrTooManyReads) {
		return fail.From(err)
	}
	e := ports.ErrModelList.Because(err)
	e.Message += ": " + err.Error()
	return e
}
