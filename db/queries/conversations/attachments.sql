-- Files that are attached to messages.

-- name: FindAttachableFiles :many
SELECT id, name, content_type, size FROM app.attachable_files WHERE workspace_id = @workspace_id AND id = ANY (@ids::uuid[]);

-- name: AddAttachments :one
-- Of the message of a turn, which is stored. A file that is deleted meanwhile breaks the key of the files.
WITH added AS (
    INSERT INTO message_attachments (workspace_id, turn_id, place, file_id, stored_id, name, media_type, size)
    SELECT @workspace_id, @turn_id, a.place, a.file_id, a.file_id, a.name, a.media_type, a.size
      FROM jsonb_to_recordset(@attachments::jsonb) AS a(place smallint, file_id uuid, name text, media_type text, size bigint)
 RETURNING place
)
SELECT count(*)::integer AS added FROM added;

-- name: ListAttachments :many
-- Those of some turns, the newest turn first. Texts have at most max_bytes together: the text of one that does not fit is not read.
SELECT a.turn_id, a.place, a.file_id, (a.stored_id IS NULL)::boolean AS deleted, a.name, a.media_type, a.size, a.cut, (a.text IS NOT NULL)::boolean AS extracted,
       coalesce(CASE WHEN a.bytes <= @max_bytes::bigint THEN a.text END, '')::text AS text
  FROM (SELECT m.*, sum(coalesce(octet_length(m.text), 0)) OVER (ORDER BY m.turn_id DESC, m.place) AS bytes
          FROM message_attachments m
         WHERE m.workspace_id = @workspace_id AND m.turn_id = ANY (@turn_ids::uuid[])) a
 ORDER BY a.turn_id DESC, a.place;

-- name: KeepAttachedTexts :exec
-- Of a file that is deleted meanwhile nothing is kept.
UPDATE message_attachments m SET text = t.text, cut = t.cut
  FROM jsonb_to_recordset(@texts::jsonb) AS t(place smallint, text text, cut boolean)
 WHERE m.workspace_id = @workspace_id AND m.turn_id = @turn_id AND m.place = t.place AND m.stored_id IS NOT NULL;
