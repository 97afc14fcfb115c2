package domain

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"github.com/google/uuid"
)

// invitationLife is how long an invitation can be accepted.
const invitationLife = 7 * 24 * time.Hour

const invitationPrefix = "inv_"

// InvitationFormat is a regular expression for the token of an invitation.
const InvitationFormat = invitationPrefix + `[\w-]+`

// Invitation invites a person to a workspace. Its token is shown once and not stored.
type Invitation struct {
	ID         uuid.UUID
	Email      string
	Role       Role
	InvitedBy  uuid.UUID
	CreatedAt  time.Time
	ExpiresAt  time.Time
	AcceptedAt *time.Time
	RevokedAt  *time.Time
	Announced  bool // an email is sent; this field is not read again
}

// NewInvitation makes an invitation and its token, which contains 32 random bytes.
func NewInvitation(email Email, role Role, by uuid.UUID, now time.Time) (i Invitation, token string) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	return Invitation{
		ID: uuid.Must(uuid.NewV7()), Email: email.String(), Role: role, InvitedBy: by, CreatedAt: now, ExpiresAt: now.Add(invitationLife),
	}, invitationPrefix + base64.RawURLEncoding.EncodeToString(secret)
}

// Guest is the person who presents the token of an invitation.
type Guest struct {
	Invitation   uuid.UUID
	WorkspaceID  uuid.UUID
	Email        string
	Role         Role
	ExpiresAt    time.Time
	Accepted     bool
	OperationID  uuid.UUID // the call that accepted
	UserID       uuid.UUID // of the address; the zero id: nobody has it yet
	PasswordHash string
	// WorkspaceName is read only where no account has the address yet. The new password is checked against it.
	WorkspaceName string
}

// EmailMessage is an email, in plain text and, if it is not empty, in HTML of the same words.
type EmailMessage struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
	// Withheld is 1 where the email is not sent, because its mailbox has received too many. It is queued all the same,
	// with a payload of the same length, so that the inviter does not see what others have sent to the mailbox.
	Withheld int `json:"withheld"`
}
