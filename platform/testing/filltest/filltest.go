// Package filltest fills values for tests that find fields which a mapping omits.
package filltest

import (
	"reflect"
	"testing"
	"time"
)

// Fill returns a T in which every exported field, at any depth of nested structs, has a non-zero value. Texts and
// numbers differ from field to field. A named text type receives a text that is none of its constants.
func Fill[T any](t testing.TB) T {
	t.Helper()
	var filled T
	next := 0
	fill(t, reflect.ValueOf(&filled).Elem(), &next)
	return filled
}

func fill(t testing.TB, v reflect.Value, next *int) {
	t.Helper()
	*next++
	switch v.Kind() {
	case reflect.String:
		v.SetString(string(rune('a'-1+*next)) + "-text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*next))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*next))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(*next))
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), next)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0), next)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), next)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*next), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(t, v.Field(i), next)
			}
		}
	default:
		t.Fatalf("filltest: %s cannot be filled", v.Type())
	}
}

// RequireFull fails the test if an exported field of v, at any depth, is zero. Fields in except are allowed to be zero;
// they are named by path, such as "Content" or "Owner.Name".
func RequireFull(t testing.TB, v any, except ...string) {
	t.Helper()
	requireFull(t, reflect.ValueOf(v), "", except)
}

func requireFull(t testing.TB, v reflect.Value, path string, except []string) {
	t.Helper()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Name
		if path != "" {
			name = path + "." + name
		}
		excepted := false
		for _, e := range except {
			excepted = excepted || e == name
		}
		switch {
		case excepted || !f.IsExported():
		case v.Field(i).IsZero():
			t.Errorf("%T: the field %s was forgotten", v.Interface(), name)
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]():
			requireFull(t, v.Field(i), name, except)
		}
	}
}
