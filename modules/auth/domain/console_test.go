package domain_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/auth/domain"
)

// The console hides what the person may not do.
func TestTheConsoleKnowsWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../api/console/src/api/permissions.ts")
	require.NoError(t, err)
	known := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^  '([a-z_.]+)': \[(.*)\],$`).FindAllStringSubmatch(string(text), -1) {
		known[line[1]] = strings.ReplaceAll(strings.ReplaceAll(line[2], "'", ""), " ", "")
	}
	want := map[string]string{}
	for _, rule := range domain.Rules() {
		var roles []string
		for _, role := range []domain.Role{domain.Owner, domain.Admin, domain.Editor, domain.Viewer} {
			if role.May(rule.Permission) {
				roles = append(roles, string(role))
			}
		}
		if len(roles) > 0 {
			want[string(rule.Permission)] = strings.Join(roles, ",")
		}
	}
	require.Equal(t, want, known)
}
