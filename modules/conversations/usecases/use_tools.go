package usecases

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// UseTools makes the calls of tools that a model asks for while it answers a turn. A call is stored before it is sent, so that another
// attempt at the turn knows what was sent and never sends a write again whose answer is lost, unless its target recognizes it.
type UseTools struct {
	Tools ports.Tools // nil: bots have none
	Calls ports.ToolCalls
	Lease time.Duration // of an attempt, from each step on: longer than a model and a tool may take
	Wait  time.Duration // for a decision
	Now   func() time.Time
	// Reach is called at the named points between steps, for tests of crashes; nil: nowhere.
	Reach func(point string)
}

// toolTurn is a turn that may call tools.
type toolTurn struct {
	UseTools
	turn     domain.Turn
	settings domain.ToolSettings
	tools    []ports.Tool
	calls    []domain.ToolCall // of all steps, in order
	search   *searchTool       // nil: the model cannot search
	write    func(chunk string)
}

// open returns the tools and the calls of a turn; nil where its bot has no tools. Search opens the tool that searches, where the settings
// want it; nil: there is nothing to search.
func (u UseTools) open(ctx context.Context, t domain.Turn, write func(chunk string), search func() (*searchTool, error)) (*toolTurn, error) {
	if t.Pinned == nil || u.Tools == nil {
		return nil, nil //nolint:nilnil // there are none
	}
	settings, err := domain.ReadTools(t.Pinned.Settings)
	searches := settings.Searches && search != nil
	if err != nil || len(settings.Tools) == 0 && !searches {
		return nil, err
	}
	w := &toolTurn{UseTools: u, turn: t, settings: settings, write: write}
	uses := settings.Tools
	if t.Tools != nil {
		uses = t.Tools
	}
	if w.tools, err = u.Tools.Pin(ctx, uses); err != nil {
		return nil, err
	}
	if t.Tools == nil {
		w.turn.Tools = make([]domain.ToolUse, len(w.tools))
		for i, tool := range w.tools {
			w.turn.Tools[i] = tool.ToolUse
		}
	}
	if searches {
		if w.search, err = search(); err != nil {
			return nil, err
		}
		w.tools = append(w.tools, w.search.tool())
	}
	if t.ToolSteps > 0 {
		w.calls, err = u.Calls.OfTurn(ctx, t.ID, u.Now())
	}
	return w, err
}

// offer puts the tools and the steps so far into a prompt.
func (w *toolTurn) offer(p *ports.Prompt) {
	p.Tools = nil
	for _, tool := range w.tools {
		p.Tools = append(p.Tools, tool.OfferedTool)
	}
	if p.Steps, p.ToolChoice = domain.StepsOf(w.calls), w.settings.Choice; w.search != nil {
		p.Steps = w.search.offer(p, w.calls)
	}
	switch {
	case len(p.Steps) >= w.settings.MaxSteps || len(w.calls) >= w.settings.MaxCalls:
		p.ToolChoice = domain.ToolsNone
	case len(p.Steps) > 0 && p.ToolChoice != domain.ToolsNone:
		p.ToolChoice = domain.ToolsAuto // what was required is done
	}
}

// add stores the calls that a model has asked for. Calls that need no approval count as sent.
func (w *toolTurn) add(ctx context.Context, reply domain.Reply) error {
	now, step := w.Now(), 1
	if n := len(w.calls); n > 0 {
		step = w.calls[n-1].Step + 1
	}
	var added []domain.ToolCall
	for i, asked := range reply.Calls {
		c := domain.ToolCall{
			ID: uuid.Must(uuid.NewV7()), TurnID: w.turn.ID, ThreadID: w.turn.ThreadID, Step: step, Place: i, ModelCall: asked,
			Kind: domain.NoTool, CreatedAt: now,
		}
		if i == 0 {
			c.Said = reply.Content
		}
		w.plan(&c, len(w.calls)+i, now)
		added = append(added, c)
	}
	w.turn.LeaseUntil = now.Add(w.Lease)
	if err := w.Calls.AddStep(ctx, w.turn, added, reply); err != nil {
		return err
	}
	w.calls = append(w.calls, added...)
	for _, c := range added {
		if err := writeEvent(w.write, domain.EventToolCall, toolEventOf(c)); err != nil {
			return err
		}
	}
	w.reach("tool-added")
	return nil
}

// plan says what happens to a call: it runs, it waits, or it has failed already.
func (w *toolTurn) plan(c *domain.ToolCall, before int, now time.Time) {
	tool := w.tool(c.Name)
	if tool == nil {
		c.End(domain.CallFailed, fmt.Sprintf("There is no tool %q.", c.Name), now)
		return
	}
	if c.Kind, c.Writes, c.Repeatable = tool.Kind, tool.Writes, tool.Repeatable; tool.ID != uuid.Nil {
		c.ToolID, c.Version = &tool.ID, tool.Version
	}
	needsPerson := tool.Approval == domain.ApproveAlways || tool.Approval != domain.ApproveNever && tool.Writes
	switch {
	case before >= w.settings.MaxCalls:
		c.End(domain.CallFailed, "The call was not made: this turn may make no more calls.", now)
	case w.turn.Trial && tool.Writes:
		c.End(domain.CallSucceeded, domain.NotMade, now)
	case tool.Kind == domain.ClientTool || needsPerson:
		c.Status, c.ExpiresAt = domain.CallWaiting, new(now.Add(w.Wait))
	default:
		c.Status, c.Sent, c.StartedAt = domain.CallRunning, 1, &now
	}
}

func (w *toolTurn) tool(name string) *ports.Tool {
	i := slices.IndexFunc(w.tools, func(t ports.Tool) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &w.tools[i]
}

// resume prepares the calls that an earlier attempt has left: those that were approved are sent, and those that were sent without an
// answer are sent again where that has no second effect.
func (w *toolTurn) resume(ctx context.Context) error {
	now := w.Now()
	var again []uuid.UUID
	for i := range w.calls {
		c := &w.calls[i]
		switch {
		case c.Status == domain.CallApproved || c.Status == domain.CallRunning && c.MayRepeat():
			again = append(again, c.ID)
			c.Status, c.Sent, c.StartedAt = domain.CallRunning, c.Sent+1, &now
		case c.Status == domain.CallRunning:
			if err := w.finish(ctx, c, domain.CallUnknown, ""); err != nil {
				return err
			}
		}
	}
	if len(again) == 0 {
		return nil
	}
	return w.Calls.Start(ctx, w.turn, again, now)
}

// settle makes the calls that run, side by side, and returns when each has a result. The error is ports.ErrTurnWaiting where others wait
// for a person or a client.
func (w *toolTurn) settle(ctx context.Context) error {
	w.reach("tool-sending")
	var running sync.WaitGroup
	errs := make([]error, len(w.calls))
	for i := range w.calls {
		if w.calls[i].Status == domain.CallRunning {
			running.Go(func() { errs[i] = w.make(ctx, &w.calls[i]) })
		}
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if domain.Loops(w.calls) {
		return ports.ErrToolLoop
	}
	var waiting []uuid.UUID
	for _, c := range w.calls {
		if c.Status == domain.CallWaiting {
			waiting = append(waiting, c.ID)
		}
	}
	if len(waiting) > 0 {
		return ports.ErrTurnWaiting.With("turn_id", w.turn.ID).With("tool_calls", waiting)
	}
	return nil
}

// make sends a call and stores its result.
func (w *toolTurn) make(ctx context.Context, c *domain.ToolCall) error {
	tool := w.tool(c.Name)
	if tool == nil || tool.Call == nil {
		return w.finish(ctx, c, domain.CallFailed, "The tool was deleted.")
	}
	status, text, err := tool.Call(ctx, c.ID, c.Arguments)
	if ctx.Err() != nil {
		return context.Cause(ctx) // what became of the call is settled with the turn, or by its next attempt
	}
	if err != nil {
		return err
	}
	w.reach("tool-sent")
	return w.finish(ctx, c, status, text)
}

func (w *toolTurn) finish(ctx context.Context, c *domain.ToolCall, status domain.ToolCallStatus, text string) error {
	c.End(status, domain.Storable(text), w.Now())
	if err := w.Calls.Finish(ctx, w.turn, *c); err != nil {
		return err
	}
	return writeEvent(w.write, domain.EventToolResult, toolEventOf(*c))
}

func (u UseTools) reach(point string) {
	if u.Reach != nil {
		u.Reach(point)
	}
}

// toolEvent is a call as readers of the stream see it.
type toolEvent struct {
	ID        uuid.UUID             `json:"id"`
	Name      string                `json:"name"`
	Kind      domain.ToolKind       `json:"kind"`
	Status    domain.ToolCallStatus `json:"status"`
	Arguments any                   `json:"arguments"`
	ExpiresAt *time.Time            `json:"expires_at"`
}

func toolEventOf(c domain.ToolCall) toolEvent {
	return toolEvent{ID: c.ID, Name: c.Name, Kind: c.Kind, Status: c.Status, Arguments: c.Arguments, ExpiresAt: c.ExpiresAt}
}
