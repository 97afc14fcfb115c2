DROP FUNCTION app.forget_mail_counts();
DROP FUNCTION app.announce_invitation(text, bytea);
DROP FUNCTION app.count_mail(bytea[], bigint[]);
ALTER TABLE invitations DROP COLUMN announced;
DROP TABLE mail_counts;
