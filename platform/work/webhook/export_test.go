package webhook

// NewClientOf is NewClient with a resolver of names.
var NewClientOf = newClient
