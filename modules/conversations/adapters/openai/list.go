package openai

import (
	"context"
	"net/http"
	"net/url"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/parley/parley/modules/conversations/adapters/modellist"
	"github.com/parley/parley/modules/conversations/ports"
)

// Models returns the provider's names of the models that a key may use, in the provider's order. The errors are those
// of Reply.
func (m Model) Models(ctx context.Context, own ports.Access) (names []string, more bool, err error) {
	base := own.BaseURL
	if base == "" {
		base = publicURL
	}
	target, err := url.Parse(base)
	if err != nil {
		return nil, false, err
	}
	path := "models"
	if target.RawQuery != "" {
		path += "?" + target.RawQuery
	}
	api := sdk.Client{Options: append(credentials(target, own.Key), // NewClient would read the environment
		option.WithBaseURL(base), option.WithHTTPClient(m.Guarded), option.WithMaxRetries(0))}
	var answer *http.Response
	err = api.Get(ctx, path, nil, &answer)
	if err == nil {
		defer func() { _ = answer.Body.Close() }() // what was read counts
		if answer.StatusCode > 299 {               // a redirect, which is not followed
			err = &sdk.Error{StatusCode: answer.StatusCode, Request: answer.Request, Response: answer}
		}
	}
	if err != nil {
		return nil, false, m.failure(ctx, asRefusal(answer, err), false, ports.Prompt{Asked: ports.Asked{Access: &own}})
	}
	return modellist.Read(answer.Body)
}
