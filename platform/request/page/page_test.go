package page

import (
	"bytes"
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/secret"
	"github.com/parley/parley/platform/request/callctx"
	"github.com/parley/parley/platform/request/fail"
)

type position struct {
	Seq int64 `json:"s"`
}

var key = secret.Keys{{Bytes: bytes.Repeat([]byte{7}, 32)}}

func in(ctx context.Context, workspace uuid.UUID) context.Context {
	return callctx.As(ctx, workspace, uuid.New())
}

func TestACursorOfAFormerKeyGoesOn(t *testing.T) {
	t.Parallel()
	ctx := in(t.Context(), uuid.New())
	text, err := newSigner[position](key, "messages").Encode(ctx, "", position{41})
	require.NoError(t, err)
	next := secret.Key{Bytes: bytes.Repeat([]byte{8}, 32)}
	got, err := newSigner[position](secret.Keys{next, key[0]}, "messages").Decode(ctx, "", &text)
	require.NoError(t, err)
	require.Equal(t, int64(41), got.Seq)
	_, err = newSigner[position](secret.Keys{next}, "messages").Decode(ctx, "", &text)
	require.ErrorIs(t, err, ErrCursor)
}

func TestACursorGoesOnWhereItWasMade(t *testing.T) {
	t.Parallel()
	ctx := in(t.Context(), uuid.New())
	cursors := newSigner[position](key, "messages")
	text, err := cursors.Encode(ctx, "thread-1", position{41})
	require.NoError(t, err)
	got, err := cursors.Decode(ctx, "thread-1", &text)
	require.NoError(t, err)
	require.Equal(t, &position{41}, got)
	got, err = cursors.Decode(ctx, "thread-1", nil)
	require.NoError(t, err)
	require.Nil(t, got, "no cursor is the first page")
}

func TestACursorThatWasNotMadeHereIsRefused(t *testing.T) {
	t.Parallel()
	workspace := uuid.New()
	ctx := in(t.Context(), workspace)
	cursors := newSigner[position](key, "messages")
	good, err := cursors.Encode(ctx, "thread-1", position{41})
	require.NoError(t, err)
	raw, err := base64.RawURLEncoding.DecodeString(good)
	require.NoError(t, err)
	sameBytes := good[:len(good)-1] + string(rune(good[len(good)-1]+1)) // other unused bits at the end, where there are any
	tests := map[string]struct {
		cursors signer[position]
		ctx     context.Context
		filter  string
		text    string
	}{
		"another list":      {newSigner[position](key, "threads"), ctx, "thread-1", good},
		"another key":       {newSigner[position](secret.Keys{{Bytes: bytes.Repeat([]byte{8}, 32)}}, "messages"), ctx, "thread-1", good},
		"another workspace": {cursors, in(t.Context(), uuid.New()), "thread-1", good},
		"another filter":    {cursors, ctx, "thread-2", good},
		"no filter":         {cursors, ctx, "", good},
		// list and filter run together are the same letters
		"shifted border":     {newSigner[position](key, "message"), ctx, "sthread-1", good},
		"empty":              {cursors, ctx, "thread-1", ""},
		"too short":          {cursors, ctx, "thread-1", good[:8]},
		"cut":                {cursors, ctx, "thread-1", good[:len(good)-2]},
		"grown":              {cursors, ctx, "thread-1", good + "AA"},
		"not base64":         {cursors, ctx, "thread-1", "!" + good},
		"padded":             {cursors, ctx, "thread-1", good + "=="},
		"with line break":    {cursors, ctx, "thread-1", good[:4] + "\n" + good[4:]},
		"another spelling":   {cursors, ctx, "thread-1", sameBytes},
		"position in clear":  {cursors, ctx, "thread-1", base64.RawURLEncoding.EncodeToString([]byte(`{"s":1}`))},
		"signature of zeros": {cursors, ctx, "thread-1", base64.RawURLEncoding.EncodeToString(append(make([]byte, 16), raw[16:]...))},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := test.cursors.Decode(test.ctx, test.filter, &test.text)
			require.ErrorIs(t, err, ErrCursor)
			require.Equal(t, fail.Malformed, fail.From(err).Kind)
		})
	}
	for i := range raw { // every byte counts
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		text := base64.RawURLEncoding.EncodeToString(changed)
		_, err := cursors.Decode(ctx, "thread-1", &text)
		require.ErrorIs(t, err, ErrCursor, "byte %d", i)
	}
}

// Nothing that was not made by Encode is taken, and nothing panics.
func FuzzDecode(f *testing.F) {
	ctx := in(context.Background(), uuid.MustParse("11111111-1111-4111-8111-111111111111"))
	cursors := newSigner[position](key, "messages")
	good, err := cursors.Encode(ctx, "f", position{1})
	require.NoError(f, err)
	for _, seed := range []string{good, "", "AAAA", good + "A", strings.ToUpper(good)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		after, err := cursors.Decode(ctx, "f", &text)
		if err != nil {
			require.ErrorIs(t, err, ErrCursor)
			return
		}
		made, err := cursors.Encode(ctx, "f", *after)
		require.NoError(t, err)
		require.Equal(t, made, text)
	})
}

func TestAPageTellsWhetherMoreFollow(t *testing.T) {
	t.Parallel()
	ctx := in(t.Context(), uuid.New())
	cursors := newSigner[position](key, "numbers")
	at := func(n int) position { return position{int64(n)} }
	for name, test := range map[string]struct {
		rows []int // as read: one more than the limit of two, where there is one
		want []int
		more bool
	}{
		"none":           {[]int{}, []int{}, false},
		"fewer":          {[]int{1}, []int{1}, false},
		"just the limit": {[]int{1, 2}, []int{1, 2}, false},
		"one more":       {[]int{1, 2, 3}, []int{1, 2}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			items, more := cut(test.rows, 2)
			require.Equal(t, test.want, items)
			require.Equal(t, test.more, more)
			next, err := nextCursor(ctx, cursors, "", items, more, at)
			require.NoError(t, err)
			require.Equal(t, test.more, next != nil)
			if next != nil {
				after, err := cursors.Decode(ctx, "", next)
				require.NoError(t, err)
				require.EqualValues(t, 2, after.Seq, "the cursor is behind the last item that was given")
			}
		})
	}
	require.NotNil(t, Map(nil, func(int) int { return 0 }), "an empty page is [] in JSON, not null")
	asked := 7
	require.Equal(t, []int{7, 20}, []int{rowLimit(&asked, 20), rowLimit(nil, 20)})
}

func TestAPageIsBoundedByBytesToo(t *testing.T) {
	t.Parallel()
	const whole, half = MaxBytes, MaxBytes / 2
	for name, test := range map[string]struct {
		sizes []int // as read: one more than the limit of three, where there is one
		want  int
		more  bool
	}{
		"none":                       {nil, 0, false},
		"just the bytes":             {[]int{half, half}, 2, false},
		"one byte more":              {[]int{half, half + 1}, 1, true},
		"the third is too much":      {[]int{1, whole - 1, 1}, 2, true},
		"a single row that is large": {[]int{10 * whole}, 1, false},
		"a large row comes alone":    {[]int{10 * whole, 1, 1}, 1, true},
		"a large row waits":          {[]int{1, 10 * whole}, 1, true},
		"small rows":                 {[]int{1, 1, 1, 1}, 3, true},
		"as many as the limit":       {[]int{1, 1, 1}, 3, false},
	} {
		items, more := CutBytes(test.sizes, 3, func(n int) int { return n })
		require.Equal(t, test.sizes[:test.want], items, name)
		require.Equal(t, test.more, more, name)
	}
}
