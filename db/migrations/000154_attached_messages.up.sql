-- Files are attached to messages of users.
ALTER TABLE messages ADD COLUMN attached boolean NOT NULL DEFAULT false; -- whether it has attachments
