DROP FUNCTION app.locate_unfinished_erasures(double precision, integer);
DROP POLICY door ON document_files;
REVOKE SELECT (key) ON dead_letter_queue FROM parley_door;
REVOKE SELECT (file_id) ON document_files FROM parley_door;
ALTER TABLE document_files DROP COLUMN deleted_at;
