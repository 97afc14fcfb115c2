// Package modelerror interprets the errors of models' providers: whether an error is temporary, and if not, which of
// the permanent failures of ports it is. What the messages of servers mean is known to platform/work/modelapi.
package modelerror

import (
	"fmt"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
	"github.com/parley/parley/platform/work/modelapi"
	"github.com/parley/parley/platform/work/resilience"
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
	said := modelapi.ParseError(r.Body)
	status := r.Status
	text := fmt.Errorf("%s answered %d%s", r.Provider, r.Status, after(said.Code()))
	if begun := status > 0 && status < 300; begun {
		status = said.Status()
		text = fmt.Errorf("%s ended its answer with an error%s", r.Provider, after(said.Code()))
	}
	failure := failureOf(said.Meaning(status))
	if len(r.Prompt.Tools) > 0 && said.RefusesTools() {
		failure = ports.ErrToolsUnsupported
	}
	if r.Prompt.HasImages() && said.RefusesImages() {
		failure = ports.ErrImagesUnsupported
	}
	switch {
	case failure != nil:
		return resilience.Answered(r.detailed(failure, said, status).Because(text))
	case status == 0:
		return text
	default:
		return resilience.Status(status, r.RetryAfter, text)
	}
}

// failureOf returns the permanent failure of a meaning; nil for a temporary failure.
func failureOf(m modelapi.Meaning) *fail.Error {
	switch m {
	case modelapi.Credentials:
		return ports.ErrModelCredentials
	case modelapi.Quota:
		return ports.ErrModelQuota
	case modelapi.UnknownModel:
		return ports.ErrModelUnknown
	case modelapi.TooLong:
		return ports.ErrContextTooLong
	case modelapi.Filtered:
		return ports.ErrContentFiltered
	case modelapi.Rejected:
		return ports.ErrModelRejected
	default:
		return nil
	}
}

// detailed adds the provider's message to a failure. With the operator's key it adds nothing about the key or its
// account.
func (r Refusal) detailed(failure *fail.Error, said modelapi.ServerError, status int) *fail.Error {
	hidden := modelapi.Hidden{Key: r.Key, Texts: r.texts(), Model: r.Prompt.Model}
	if r.Status >= 300 {
		failure = failure.With("status", r.Status)
	}
	if code := said.Code(); code != "" && hidden.Clean(code) == code {
		failure = failure.With("provider_code", code)
	}
	account := failure.Code == ports.ErrModelCredentials.Code || failure.Code == ports.ErrModelQuota.Code
	if message := hidden.Clean(said.Message()); message != "" && (r.Own || !account) {
		failure = failure.With("provider_message", message)
	}
	if failure.Code == ports.ErrContextTooLong.Code {
		if window := said.Window(); window > 0 {
			failure = failure.With("window", window)
		}
	}
	if said.IsWrongAddress(status) {
		failure = failure.With(ports.HintDetail, "the server has nothing at this path: "+checkAddress(r.Own))
	}
	return failure
}

// texts returns the texts of the prompt.
func (r Refusal) texts() []string {
	texts := []string{r.Prompt.Content}
	if r.Prompt.Pinned != nil {
		texts = append(texts, r.Prompt.Pinned.Instruction)
	}
	for _, m := range r.Prompt.History {
		texts = append(append(texts, m.Content), stepTexts(m.Steps)...)
	}
	return append(texts, stepTexts(r.Prompt.Steps)...)
}

// stepTexts returns the texts of steps, with the arguments and the results of their calls.
func stepTexts(steps []domain.Step) (texts []string) {
	for _, step := range steps {
		texts = append(texts, step.Text)
		for _, c := range step.Calls {
			texts = append(texts, string(c.Arguments))
		}
		for _, result := range step.Results {
			texts = append(texts, result.Text)
		}
	}
	return texts
}

// checkAddress returns the hint how to fix a wrong address.
func checkAddress(own bool) string {
	if own {
		return "check base_url of PUT /v1/model-keys/{provider}"
	}
	return "ask the operator to check the base URL of the provider"
}

func after(code string) string {
	if code == "" {
		return ""
	}
	return " " + code
}
