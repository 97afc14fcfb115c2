// Package rest serves the calls of channels: webhooks in and out.
package rest

import (
	"github.com/labstack/echo/v5"

	"github.com/parley/parley/modules/channels/ports"
	"github.com/parley/parley/modules/channels/usecases"
	"github.com/parley/parley/platform/request/command"
	"github.com/parley/parley/platform/request/page"
)

// Server serves the calls.
type Server struct {
	CreateEndpoint usecases.CreateEndpoint
	ChangeEndpoint usecases.ChangeEndpoint
	Endpoints      ports.Endpoints
	Receive        usecases.ReceiveEvent
	Received       ports.Received

	CreateSubscription usecases.CreateSubscription
	ChangeSubscription usecases.ChangeSubscription
	DeleteSubscription usecases.DeleteSubscription
	AdoptSubscription  usecases.AdoptSubscription
	PingSubscription   usecases.PingSubscription
	Deliveries         ports.Deliveries
	Sent               ports.Sent

	Commands *command.Pipeline
	Cursors  page.Key
}

// Mount adds the routes.
func (s Server) Mount(e *echo.Echo) { RegisterHandlers(e, NewStrictHandler(s, nil)) }
