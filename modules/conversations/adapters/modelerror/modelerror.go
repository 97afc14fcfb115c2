// Package modelerror interprets the errors of models' providers: whether an error is temporary, and if not, which of
// the permanent failures of ports it is. Providers that speak the same protocol use different messages.
package modelerror

import (
	"fmt"
	"net/http"
	"time"

	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/fail"
	"github.com/parley/parley/platform/resilience"
)

// Refusal is an error that a provider sent in place of an answer, or within one.
type Refusal struct {
	Provider   string        // as it is named in the error
	Status     int           // of HTTP; below 300: the answer had begun
	Body       []byte        // of the answer, or the data of the event that ends it
	RetryAfter time.Duration // 0: it did not say
	Own        bool          // the call was made with a key of the workspace's
	Key        string        // of the call; what is shown of the error does not have it
	Prompt     ports.Prompt  // what is shown of the error does not repeat it
}

// Err returns the failure for the error. A permanent failure is an error of ports with details; any other error is
// handled by the guard of the model. Its text may be stored and logged: it contains the provider's code, but not the
// provider's message.
func (r Refusal) Err() error {
	said := parse(r.Body)
	status := r.Status
	text := fmt.Errorf("%s answered %d%s", r.Provider, r.Status, after(said.code()))
	if begun := status > 0 && status < 300; begun {
		status = said.status()
		text = fmt.Errorf("%s ended its answer with an error%s", r.Provider, after(said.code()))
	}
	failure := said.meaning(status)
	switch {
	case failure != nil:
		return resilience.Answered(r.detailed(failure, said, status).Because(text))
	case status == 0:
		return text
	default:
		return resilience.Status(status, r.RetryAfter, text)
	}
}

// detailed adds the provider's message to a failure. With the operator's key it adds nothing about the key or its
// account.
func (r Refusal) detailed(failure *fail.Error, said words, status int) *fail.Error {
	if r.Status >= 300 {
		failure = failure.With("status", r.Status)
	}
	if code := said.code(); code != "" && r.clean(code) == code {
		failure = failure.With("provider_code", code)
	}
	account := failure.Code == ports.ErrModelCredentials.Code || failure.Code == ports.ErrModelQuota.Code
	if message := r.clean(said.message); message != "" && (r.Own || !account) {
		failure = failure.With("provider_message", message)
	}
	if failure.Code == ports.ErrContextTooLong.Code {
		if window := said.window(); window > 0 {
			failure = failure.With("window", window)
		}
	}
	if said.isWrongAddress(status) {
		failure = failure.With(ports.HintDetail, "the server has nothing at this path: "+checkAddress(r.Own))
	}
	return failure
}

// checkAddress returns the hint how to fix a wrong address.
func checkAddress(own bool) string {
	if own {
		return "check base_url of PUT /v1/model-keys/{provider}"
	}
	return "ask the operator to check the base URL of the provider"
}

// isTemporary reports whether a status says that the same call may succeed later.
func isTemporary(status int) bool {
	switch status {
	case 0, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	default:
		return status >= 500
	}
}

func after(code string) string {
	if code == "" {
		return ""
	}
	return " " + code
}
