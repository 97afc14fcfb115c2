package usecases

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
)

// searchTool searches the knowledge bases of a bot when the model of a turn calls domain.SearchTool. It is safe for concurrent use.
type searchTool struct {
	RetrieveKnowledge
	turn     domain.Turn
	settings domain.KnowledgeSettings
	reader   *domain.CitationReader // of the answer
	write    func(chunk string)
	boundary string

	mu  sync.Mutex
	all []domain.Retrieval // of the turn
}

// openSearch returns the tool of a turn, with what earlier attempts have found.
func (u RetrieveKnowledge) openSearch(ctx context.Context, t domain.Turn, s domain.KnowledgeSettings, write func(chunk string)) (*searchTool, error) {
	tool := &searchTool{RetrieveKnowledge: u, turn: t, settings: s, reader: domain.NewCitationReader(nil), write: write, boundary: rand.Text()}
	if t.ToolSteps == 0 {
		return tool, nil
	}
	before, err := u.Retrievals.List(ctx, t.ThreadID, t.ID)
	if err != nil {
		return nil, err
	}
	tool.add(before)
	return tool, nil
}

func (s *searchTool) tool() ports.Tool {
	return ports.Tool{OfferedTool: domain.SearchTool(), Kind: domain.KnowledgeTool, Call: s.call}
}

// call searches, and stores what is found before the call has its result. Calls of one step search one after the other, since they number
// their sources together.
func (s *searchTool) call(ctx context.Context, _ uuid.UUID, arguments json.RawMessage) (domain.ToolCallStatus, string, error) {
	query, ok := domain.SearchQuery(arguments)
	if !ok {
		return domain.CallFailed, "The arguments must have a query of 1 to 2000 characters.", nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.searchFor(ctx, query, s.settings, s.all)
	if err != nil {
		return "", "", err
	}
	if err := s.Retrievals.Add(ctx, s.turn.ID, found); err != nil {
		return "", "", err
	}
	s.add(found)
	if err := writeEvent(s.write, domain.EventRetrieved, summaryOf(found)); err != nil {
		return "", "", err
	}
	return domain.CallSucceeded, domain.SearchSummary(len(domain.Given(found))), nil
}

func (s *searchTool) add(found []domain.Retrieval) {
	s.all = append(s.all, found...)
	s.reader.Add(domain.Given(found))
}

// offer puts what was found into a prompt whose steps are those of the calls.
func (s *searchTool) offer(p *ports.Prompt, calls []domain.ToolCall) []domain.Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Found.Searched = domain.Given(s.all)
	calls = slices.Clone(calls)
	for i := range calls {
		if c := &calls[i]; c.Kind == domain.KnowledgeTool && c.Status == domain.CallSucceeded {
			query, _ := domain.SearchQuery(c.Arguments)
			c.Result = domain.SearchResult(s.all, query, s.boundary)
		}
	}
	return domain.StepsOf(calls)
}
