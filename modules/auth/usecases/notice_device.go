package usecases

import (
	"context"

	"github.com/google/uuid"

	"github.com/parley/parley/modules/auth/domain"
	"github.com/parley/parley/modules/auth/ports"
	"github.com/parley/parley/platform/request/callctx"
)

// NoticeDevice notifies users by email when their account is opened on a device for the first time. A device is what a
// client says it is together with its network, unless it sends a device token, by which the account knows it anywhere.
type NoticeDevice struct {
	Known    ports.KnownDevices
	Devices  ports.Devices
	Accounts ports.Accounts
	Emails   ports.AccountEmails
}

// Do remembers the device of a user who signs in, in the transaction of the context, which must be that of this user. It
// queues an email where the device is new and the account had a session before.
func (u NoticeDevice) Do(ctx context.Context, user uuid.UUID, client domain.Client) error {
	isNew, err := u.Known.See(ctx, client)
	if err != nil || !isNew {
		return err
	}
	account, err := u.Accounts.Current(ctx)
	if err != nil {
		return err
	}
	call := callctx.From(ctx)
	if u.Devices.Trusted(call.DeviceToken, user, account.PasswordHash) != "" {
		return nil
	}
	return u.Emails.Queue(ctx, domain.AccountEmail{
		ID: uuid.Must(uuid.NewV7()), Kind: domain.EmailNewDevice, UserID: user, Address: account.Email, Language: call.AcceptLanguage,
		TraceID: call.TraceID, Device: client.Seen(),
	})
}
