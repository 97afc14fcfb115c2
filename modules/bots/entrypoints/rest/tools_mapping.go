package rest

import (
	"encoding/json"

	"github.com/parley/parley/modules/bots/domain"
)

func toNewDefinition(body CreateToolJSONRequestBody) domain.ToolChanges {
	return domain.ToolChanges{
		Description: &body.Description, Schema: body.Schema, Effect: (*domain.Effect)(&body.Effect), TimeoutMS: toInt(body.TimeoutMs),
		MaxOutputBytes: toInt(body.MaxOutputBytes), URL: body.URL, Method: (*string)(body.Method), IdempotencyHeader: body.IdempotencyHeader, Redact: body.Redact,
	}
}

func toDefinitionChanges(body ChangeToolJSONRequestBody) domain.ToolChanges {
	return domain.ToolChanges{
		Description: body.Description, Schema: body.Schema, Effect: (*domain.Effect)(body.Effect), TimeoutMS: toInt(body.TimeoutMs),
		MaxOutputBytes: toInt(body.MaxOutputBytes), URL: body.URL, Method: (*string)(body.Method), IdempotencyHeader: body.IdempotencyHeader, Redact: body.Redact,
	}
}

func toInt(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}

func toTool(t domain.Tool) Tool {
	d := t.Definition
	return Tool{
		ID: t.ID, WorkspaceID: t.WorkspaceID, Kind: ToolKind(t.Kind), Name: t.Name, CurrentVersion: int32(t.CurrentVersion), Description: d.Description,
		Schema: d.Schema, Effect: ToolEffect(d.Effect), TimeoutMs: int32(d.Timeout.Milliseconds()), MaxOutputBytes: int32(d.MaxOutputBytes),
		URL: orNull(d.URL), Method: orNull(d.Method), IdempotencyHeader: orNull(d.IdempotencyHeader), RemoteName: orNull(d.RemoteName),
		DefinitionHash: orNull(d.DefinitionHash), Redact: append([]string{}, d.Redact...), Review: toReview(t.Review), Credentials: toCredentials(t.Credentials), CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt,
		UpdatedAt: t.UpdatedAt,
	}
}

func toToolSummary(t domain.Tool) ToolSummary {
	d := t.Definition
	summary := ToolSummary{
		ID: t.ID, WorkspaceID: t.WorkspaceID, Kind: ToolKind(t.Kind), Name: t.Name, CurrentVersion: int32(t.CurrentVersion), Description: d.Description,
		Effect: ToolEffect(d.Effect), TimeoutMs: int32(d.Timeout.Milliseconds()), MaxOutputBytes: int32(d.MaxOutputBytes),
		URL: orNull(d.URL), Method: orNull(d.Method), IdempotencyHeader: orNull(d.IdempotencyHeader), RemoteName: orNull(d.RemoteName), CreatedBy: t.CreatedBy,
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
	}
	if t.Review != nil {
		summary.ReviewStatus = new(ToolReviewStatus(t.Review.Status))
	}
	return summary
}

func toToolVersion(v domain.ToolVersion) ToolVersion {
	d := v.Definition
	return ToolVersion{
		ToolID: v.ToolID, Version: int32(v.Number), Kind: ToolKind(v.Kind), Name: v.Name, Description: d.Description, Schema: d.Schema,
		Effect: ToolEffect(d.Effect), TimeoutMs: int32(d.Timeout.Milliseconds()), MaxOutputBytes: int32(d.MaxOutputBytes), URL: orNull(d.URL),
		Method: orNull(d.Method), IdempotencyHeader: orNull(d.IdempotencyHeader), RemoteName: orNull(d.RemoteName), DefinitionHash: orNull(d.DefinitionHash), Redact: append([]string{}, d.Redact...), Note: v.Note,
		CreatedBy: v.CreatedBy, CreatedAt: v.CreatedAt,
	}
}

func toReview(r *domain.ToolReview) *ToolReview {
	if r == nil {
		return nil
	}
	review := &ToolReview{
		Status: ToolReviewStatus(r.Status), Hash: r.Remote.Hash, Description: r.Remote.Description, Effect: ToolEffect(r.Remote.Effect),
		Problem: orNull(r.Remote.Problem), FoundAt: r.FoundAt,
	}
	if len(r.Remote.Schema) > 0 {
		review.Schema = &r.Remote.Schema
	}
	return review
}

func toCredentials(c *domain.SetCredentials) *ToolCredentials {
	if c == nil {
		return nil
	}
	return &ToolCredentials{Type: ToolCredentialsType(c.Type), Origin: c.Origin, CreatedAt: c.At}
}

// toCredentialsChange reads a field that may be missing, null, or credentials, as the contract has checked.
func toCredentialsChange(raw json.RawMessage) domain.CredentialsChange {
	c := domain.CredentialsChange{Given: len(raw) > 0}
	if c.Given {
		_ = json.Unmarshal(raw, &c.New) // it is an object of texts or null
	}
	return c
}

// orNull returns nil for an empty text.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
