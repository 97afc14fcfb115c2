package main

// The parts of a collection, as https://schema.postman.com names them (version 2.1).
type (
	collection struct {
		Info     info       `json:"info"`
		Auth     *auth      `json:"auth"`
		Variable []variable `json:"variable"`
		Item     []item     `json:"item"`
	}
	info struct {
		Name        string `json:"name"`
		Version     string `json:"version"`
		Description string `json:"description"`
		Schema      string `json:"schema"`
	}
	auth struct {
		Type   string      `json:"type"`
		Bearer []authValue `json:"bearer,omitempty"`
	}
	authValue struct {
		Key   string `json:"key"`
		Value string `json:"value"`
		Type  string `json:"type"`
	}
	variable struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	item struct {
		Name    string   `json:"name"`
		Item    []item   `json:"item,omitempty"`
		Event   []event  `json:"event,omitempty"`
		Request *request `json:"request,omitempty"`
	}
	event struct {
		Listen string `json:"listen"`
		Script script `json:"script"`
	}
	script struct {
		Type string   `json:"type"`
		Exec []string `json:"exec"`
	}
	request struct {
		Method      string   `json:"method"`
		Auth        *auth    `json:"auth,omitempty"`
		Header      []header `json:"header,omitempty"`
		Body        *body    `json:"body,omitempty"`
		URL         address  `json:"url"`
		Description string   `json:"description,omitempty"`
	}
	header struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	body struct {
		Mode    string         `json:"mode"`
		Raw     string         `json:"raw"`
		Options map[string]any `json:"options,omitempty"`
	}
	address struct {
		Raw   string   `json:"raw"`
		Host  []string `json:"host"`
		Path  []string `json:"path"`
		Query []query  `json:"query,omitempty"`
	}
	query struct {
		Key         string `json:"key"`
		Value       string `json:"value"`
		Description string `json:"description,omitempty"`
		Disabled    bool   `json:"disabled,omitempty"`
	}
)

func bearer(token string) *auth {
	return &auth{Type: "bearer", Bearer: []authValue{{"token", token, "string"}}}
}
