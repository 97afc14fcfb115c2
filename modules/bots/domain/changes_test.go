package domain_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/modules/bots/domain"
	"github.com/parley/parley/platform/testing/filltest"
)

func TestABotHasEveryFieldOfItsChanges(t *testing.T) {
	t.Parallel()
	var bot domain.Bot
	changes := filltest.Fill[domain.Changes](t)
	changes.Status = new(domain.Active)
	_, err := bot.Change(changes, time.Now())
	require.NoError(t, err)
	wanted := reflect.ValueOf(changes)
	for i := range wanted.NumField() {
		name := wanted.Type().Field(i).Name
		require.Equal(t, wanted.Field(i).Elem().Interface(), reflect.ValueOf(bot).FieldByName(name).Interface(), name)
	}
}
