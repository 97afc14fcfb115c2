package anthropic

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/parley/parley/modules/conversations/adapters/modellist"
	"github.com/parley/parley/modules/conversations/ports"
)

// maxListed is how many models are requested at once: the maximum of the provider.
const maxListed = 1000

// Models returns the provider's names of the models that a key may use, the newest first; more says that there are
// others. The errors are those of Reply.
func (m Model) Models(ctx context.Context, own ports.Access) (names []string, more bool, err error) {
	base := own.BaseURL
	if base == "" {
		base = publicURL
	}
	target, err := url.Parse(base)
	if err != nil {
		return nil, false, err
	}
	query := target.Query()
	query.Set("limit", strconv.Itoa(maxListed))
	api := sdk.Client{Options: []option.RequestOption{ // NewClient would read the environment
		option.WithBaseURL(base), option.WithHTTPClient(m.Guarded), option.WithMaxRetries(0), option.WithAPIKey(own.Key),
	}}
	var answer *http.Response
	err = api.Get(ctx, "v1/models?"+query.Encode(), nil, &answer)
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
