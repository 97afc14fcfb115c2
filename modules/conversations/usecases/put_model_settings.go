package usecases

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/modules/conversations/ports"
	"github.com/parley/parley/platform/request/fail"
)

// PutModelSettings stores the default models of a workspace.
type PutModelSettings struct {
	Settings ports.ModelSettings
	Unserved UnservedModels
	Now      func() time.Time
}

// SettingWarning is a likely mistake in a setting that is stored all the same.
type SettingWarning struct{ Field, Code, Message string }

// Do replaces the settings, and returns a warning for each model that no key serves.
func (u PutModelSettings) Do(ctx context.Context, d domain.ModelDefaults) ([]SettingWarning, error) {
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
		return nil, fail.Fields(wrong...)
	}
	if err := u.Settings.SetDefaults(ctx, d, u.Now()); err != nil {
		return nil, err
	}
	return u.warn(ctx, d)
}

func (u PutModelSettings) warn(ctx context.Context, d domain.ModelDefaults) (warnings []SettingWarning, err error) {
	unserved, err := u.Unserved.Do(ctx, append([]string{d.Model}, d.Fallbacks...))
	if err != nil {
		return nil, err
	}
	warn := func(field, name string) {
		if name != "" && slices.Contains(unserved, name) {
			warnings = append(warnings, SettingWarning{Field: field, Code: CodeNotServed, Message: NotServed(name)})
		}
	}
	warn("default_model", d.Model)
	for i, name := range d.Fallbacks {
		warn(fmt.Sprintf("fallbacks.%d", i), name)
	}
	return warnings, nil
}
