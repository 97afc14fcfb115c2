package usecases

import (
	"github.com/parley/parley/modules/conversations/domain"
	"github.com/parley/parley/platform/request/fail"
)

// checkVariables returns an error for values of variables that nothing may have.
func checkVariables(v domain.Variables) error {
	if err := v.Check(); err != nil {
		return fail.Fields(fail.Field{Field: "variables", Code: "INVALID", Message: err.Error()})
	}
	return nil
}
