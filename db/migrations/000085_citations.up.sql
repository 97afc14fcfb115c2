-- What an answer cites, as it was then: [{number, document_id, title, chunk_id, page, start, end, quote}]; null: nothing.
ALTER TABLE messages ADD COLUMN citations jsonb;
