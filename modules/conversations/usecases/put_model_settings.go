package usecases

import (
	"context"
	"fmt"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/fail"
)

// PutModelSettings says which models answer in a workspace where a bot does not say.
type PutModelSettings struct {
	Settings ports.ModelSettings
	Now      func() time.Time
}

// Do replaces the settings.
func (u PutModelSettings) Do(ctx context.Context, d domain.ModelDefaults) error {
	var wrong []fail.Field
	check := func(field, name string) {
		if _, err := domain.ParseModel(name); err != nil {
			wrong = append(wrong, fail.Field{Field: field, Code: "INVALID", Message: err.Error()})
		}
	}
	if d.Model != "" {
		check("default_model", d.Model)
	}
	for i, name := range d.Fallbacks {
		check(fmt.Sprintf("fallbacks.%d", i), name)
	}
	if len(wrong) > 0 {
		return fail.Fields(wrong...)
	}
	return u.Settings.SetDefaults(ctx, d, u.Now())
}
