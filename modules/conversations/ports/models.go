package ports

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/fail"
)

// Errors about models.
var (
	ErrModelNotAllowed = fail.New(fail.Invalid, "MODEL_NOT_ALLOWED",
		"this model is not served with the operator's key: set settings.model of the bot, or the default of PUT /v1/model-settings, to "+
			"one that is (the operator lists them in MODEL_ALLOW), or bring a key of your own by PUT /v1/model-keys/{provider}")
	ErrModelKeyNotFound = fail.New(fail.NotFound, "NOT_FOUND", "this workspace has no key of its own for this provider")
)

// Model generates answers to prompts. It has no state.
type Model interface {
	// Name returns the provider and the model that answer, to be stored.
	Name() (provider, model string)
	// Reply generates the answer to a prompt. It passes each piece of the answer's text to write as it comes, one after
	// the other, and never after it has returned. Together the pieces are the reply's Content. Where the model calls tools of
	// the prompt, the reply has Calls, and its Content may be empty. After a failure the reply has neither, but has the usage.
	Reply(ctx context.Context, p Prompt, write func(text string)) (domain.Reply, error)
}

// Prompt is the input of a model.
type Prompt struct {
	TurnID  uuid.UUID
	Attempt int
	Limited bool // the workspace may have a limit of costs
	// ChargedMicros is what the attempt was charged before this call, as for a query that a model has written. It is reserved
	// together with what the call may cost.
	ChargedMicros int64
	ThreadID      uuid.UUID
	Seq           int64          // of the message in its thread
	Path          domain.Path    // of the messages before it
	Pinned        *domain.Pinned // nil: no bot
	Defaults      domain.ModelDefaults
	Content       string
	Attached      []domain.Attachment // to the message
	Images        []domain.Image      // of the message; a router adds them
	WithoutFiles  bool                // earlier messages are without the files that are attached to them
	Request       *domain.Request     // nil: only the message was sent
	Found         Found
	Tools         []domain.OfferedTool
	ToolChoice    domain.ToolChoice // that a tool must be called is for the first step; after it the model may
	Steps         []domain.Step     // of this answer, oldest first: the model goes on after them
	OutputSchema  json.RawMessage   // that the answer is to match: a JSON Schema; nil: it is a text
	// SourceBoundary delimits sources that are a part of Content; empty: there are none.
	SourceBoundary string

	Asked
}

// Found is what of the workspace's knowledge a prompt has.
type Found struct {
	Sources  []domain.Source
	Boundary string // delimits the sources; it is random, so that no document has it
	// Locate is called before a marker of a source is written, by a model that names what it cites: the part of the source's
	// text, in code points. Nil: nobody asks.
	Locate func(number, start, end int)
	// Searched are the sources that results of domain.SearchTool have. BySearch reports that the model may call that tool: the prompt has
	// no Sources then.
	Searched []domain.Source
	BySearch bool
}

// Instruction returns the instruction of the bot, with the rules for the sources and for the results of tools where there are any.
func (p Prompt) Instruction(rules string) string {
	var parts []string
	if p.Pinned != nil && p.Pinned.Instruction != "" {
		parts = append(parts, p.Pinned.Instruction)
	}
	if len(p.Found.Sources) > 0 {
		parts = append(parts, rules)
	}
	if p.Found.BySearch {
		parts = append(parts, domain.SearchRules)
	}
	if p.HasTools() {
		parts = append(parts, domain.ResultRules(p.ResultBoundary()))
	}
	if p.HasFiles() {
		parts = append(parts, domain.AttachmentRules(p.ResultBoundary()))
	}
	if p.SourceBoundary != "" {
		parts = append(parts, domain.QuotedRules(p.SourceBoundary))
	}
	if p.OutputSchema != nil {
		parts = append(parts, domain.OutputRules(p.OutputSchema))
	}
	return strings.Join(parts, "\n\n")
}

// HasFiles reports whether a message of the prompt has attached files.
func (p Prompt) HasFiles() bool {
	return len(p.Attached) > 0 || slices.ContainsFunc(p.History, func(m domain.Message) bool { return len(m.Attachments) > 0 })
}

// HasImages reports whether a message of the prompt has images.
func (p Prompt) HasImages() bool {
	return len(p.Images) > 0 || slices.ContainsFunc(p.History, func(m domain.Message) bool { return len(m.Images) > 0 })
}

// HasTools reports whether the prompt has tools, or results of tools.
func (p Prompt) HasTools() bool {
	return len(p.Tools) > 0 || len(p.Steps) > 0 || slices.ContainsFunc(p.History, func(m domain.Message) bool { return len(m.Steps) > 0 })
}

// ResultBoundary returns the text that delimits the results of tools, and attached files. It is the same for each prompt of a thread, so that a provider
// can cache what it has read before. It is made of what tools are not sent, so that no result has it.
func (p Prompt) ResultBoundary() string {
	instruction := ""
	if p.Pinned != nil {
		instruction = p.Pinned.Instruction
	}
	sum := sha256.Sum256(append(p.ThreadID[:], instruction...))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])[:boundaryLength]
}

const boundaryLength = 26 // as that of rand.Text

// perMessage is how many tokens each message takes in addition to its text.
const perMessage = 8

// TokensOf estimates the tokens of a message of a prompt.
func TokensOf(text string) int { return domain.TokensOf(len(text)) + perMessage }

// Tokens estimates the tokens of the prompt.
func (p Prompt) Tokens() int {
	n := TokensOf(p.Content) + p.FileTokens()
	if p.Pinned != nil {
		n += TokensOf(p.Pinned.Instruction)
	}
	for _, m := range p.History {
		n += TokensOfMessage(m)
	}
	if p.OutputSchema != nil {
		n += TokensOf(domain.OutputRules(p.OutputSchema)) + TokensOf(domain.QuotedRules(p.SourceBoundary))
	}
	return n + p.Found.Tokens() + p.ToolTokens()
}

// Schemas checks objects by JSON Schemas.
type Schemas interface {
	// Validate returns what is wrong with an object, for a model; empty for nothing.
	Validate(schema, object json.RawMessage) (problem string, err error)
}

// TokensOfMessage estimates the tokens of a message of the history, with its calls of tools and their results.
func TokensOfMessage(m domain.Message) int {
	return TokensOf(m.Content) + tokensOfSteps(m.Steps) + len(m.Images)*perImage
}

// perImage is how many tokens an image takes at most with the models of today.
const perImage = 1600

// FileTokens estimates the tokens of the images of the message, and of the rules for files.
func (p Prompt) FileTokens() int {
	if !p.HasFiles() {
		return 0
	}
	return TokensOf(domain.AttachmentRules(p.ResultBoundary())) + len(p.Images)*perImage
}

// ToolTokens estimates the tokens of the tools, their rules, and the steps of the answer.
func (p Prompt) ToolTokens() int {
	if !p.HasTools() {
		return 0
	}
	n := TokensOf(domain.ResultRules(p.ResultBoundary())) + tokensOfSteps(p.Steps)
	for _, t := range p.Tools {
		n += perTool + domain.TokensOf(len(t.Name)+len(t.Description)+len(t.Schema))
	}
	return n
}

const (
	perTool = 16 // tokens that a tool, or a call, takes in addition to its texts
	// aroundResult is how many bytes the delimiters of a result have.
	aroundResult = 2*boundaryLength + 50
)

func tokensOfSteps(steps []domain.Step) (n int) {
	for _, step := range steps {
		n += TokensOf(step.Text) + domain.TokensOf(len(step.Correction))
		for _, c := range step.Calls {
			n += perTool + domain.TokensOf(len(c.Name)+len(c.Arguments))
		}
		for i := range max(len(step.Calls), len(step.Results)) {
			n += TokensOf("") + domain.TokensOf(aroundResult)
			if i < len(step.Results) {
				n += domain.TokensOf(len(step.Results[i].Text))
			}
		}
	}
	return n
}

// tokensOfRules is how many tokens the rules for sources have, and what is around each source.
const tokensOfRules = 300

// Tokens estimates the tokens of the sources.
func (f Found) Tokens() int {
	n := 0
	if f.BySearch {
		n = TokensOf(domain.SearchRules)
	}
	if len(f.Sources) > 0 {
		n += tokensOfRules
	}
	for _, s := range f.Sources {
		n += TokensOf(s.Text) + 2*TokensOf(f.Boundary) + TokensOf(domain.ShownTitle(s))
	}
	return n
}

// Asked is the part of a prompt that a router adds for the model that it has chosen.
type Asked struct {
	Model           string           // the provider's name of it
	History         []domain.Message // earlier ones of the thread, oldest first
	Temperature     *float64
	MaxOutputTokens *int
	Access          *Access // nil: the operator's
	// FirstTextTimeout is until the first text, or the first part of a call of a tool; 0: as long as the whole answer may take.
	FirstTextTimeout time.Duration
	OnCall           func() // called when the first part of a call of a tool has come; nil: nobody asks
}

// Access is a workspace's own access to a provider. Its key is in no log: Access is only passed by pointer.
type Access struct{ Key, BaseURL string }

// ModelGuard reports which models are not called at the moment, because they have failed too often.
type ModelGuard interface {
	// Away returns for how long none of a prompt's models will be called; 0: one is called now. Own are the providers
	// for which the workspace has a key of its own.
	Away(ctx context.Context, p Prompt, own []string) time.Duration
	// NotAsked reports whether an error of Model.Reply says that no model was called, and for how long none will be.
	NotAsked(err error) (wait time.Duration, ok bool)
}

// Budget limits the costs of a workspace.
type Budget interface {
	// Reserve reserves costs, in millionths of the currency, for a running attempt. It replaces the attempt's earlier
	// reservation. It returns fail.ErrLimitReached where the limit does not allow them beside what other attempts have
	// spent and reserved.
	Reserve(ctx context.Context, turn uuid.UUID, attempt int, micros int64) error
}

// Sponsors decides who may use the operator's keys.
type Sponsors interface {
	// Admit returns fail.ErrEmailNotVerified where nobody who has proved an address is responsible for the caller.
	Admit(ctx context.Context) error
}

// Recall reads what a prompt needs besides the message.
type Recall interface {
	// Recall returns the newest messages of a path before a number, oldest first: at most limit messages with at most
	// that many bytes together. It also returns the workspace's own accesses by provider.
	Recall(ctx context.Context, thread uuid.UUID, before int64, path domain.Path, limit, bytes int) (Recalled, error)
}

// Recalled is the result of Recall.
type Recalled struct {
	History []domain.Message
	Own     map[string]Access
}

// ModelSettings stores which models a workspace uses, and its own keys for them.
type ModelSettings interface {
	Defaults(ctx context.Context) (domain.ModelDefaults, error)
	SetDefaults(ctx context.Context, d domain.ModelDefaults, at time.Time) error
	// Keys returns the keys without their secrets.
	Keys(ctx context.Context) ([]domain.ModelKey, error)
	// PutKey encrypts and stores a key, and replaces the earlier key of its provider.
	PutKey(ctx context.Context, k domain.ModelKey) error
	// DeleteKey returns ErrModelKeyNotFound where there is none.
	DeleteKey(ctx context.Context, provider string) error
}
