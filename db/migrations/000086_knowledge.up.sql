-- Knowledge bases: documents that bots answer from, their text, and the chunks that a search finds.

-- Extensions that the owner of a database may create (they are trusted), in a schema of their own.
CREATE SCHEMA ext;
CREATE EXTENSION btree_gin SCHEMA ext;
CREATE EXTENSION pg_trgm SCHEMA ext;
GRANT USAGE ON SCHEMA ext TO parley_app, parley_door;

CREATE TABLE knowledge_bases (
    workspace_id    uuid NOT NULL REFERENCES workspaces (id),
    id              uuid NOT NULL,
    name            text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    description     text NOT NULL,
    language        text NOT NULL, -- a text search configuration of pg_catalog; it never changes
    embedding_model text,          -- null: search by words only
    chunk_size      integer NOT NULL CHECK (chunk_size > 0),     -- in characters
    chunk_overlap   integer NOT NULL CHECK (chunk_overlap >= 0), -- in characters
    created_by      uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    deleted_at      timestamptz, -- it is not found from then on; a job removes its rows
    PRIMARY KEY (workspace_id, id)
);

-- A document is searched in its generation. The next one is built beside it and replaces it in one statement.
CREATE TABLE documents (
    workspace_id  uuid NOT NULL REFERENCES workspaces (id),
    id            uuid NOT NULL,
    base_id       uuid NOT NULL,
    file_id       uuid,           -- null: the text was sent with the call
    title         text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 300),
    metadata      jsonb NOT NULL, -- flat
    content_type  text NOT NULL,
    content_hash  bytea NOT NULL CHECK (octet_length(content_hash) = 32), -- SHA-256 of the file, or of the text as it was sent
    size          bigint NOT NULL, -- bytes of the file, or of the text as it was sent
    status        text NOT NULL CHECK (status IN ('queued', 'extracting', 'chunking', 'embedding', 'ready', 'failed', 'deleting')),
    stage         text CHECK (stage IN ('extract', 'chunk', 'embed')), -- of the generation that is built
    generation    integer NOT NULL DEFAULT 0, -- 0: none is complete yet
    building      integer,                    -- the generation that is built, or whose building failed
    build_size    integer NOT NULL,           -- chunk_size of the base when the generation was requested
    build_overlap integer NOT NULL,
    build_reuse   boolean NOT NULL DEFAULT false, -- whether it takes the text of the current generation and extracts none
    chunks_done   integer NOT NULL DEFAULT 0, -- of the generation that is built
    chunks_total  integer,
    chunks        integer NOT NULL DEFAULT 0, -- of the current generation, as the next three
    characters    integer NOT NULL DEFAULT 0, -- code points of the text
    text_bytes    bigint NOT NULL DEFAULT 0,
    pages         integer,                    -- null: the format has no pages
    error_code    text,
    error_message text,
    created_by    uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    indexed_at    timestamptz, -- when the current generation was complete
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, base_id) REFERENCES knowledge_bases (workspace_id, id),
    -- A release that does not know documents removes them with their file.
    FOREIGN KEY (workspace_id, file_id) REFERENCES files (workspace_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX documents_content_key ON documents (workspace_id, base_id, content_hash) WHERE file_id IS NOT NULL AND status <> 'deleting';
CREATE INDEX documents_of_base ON documents (workspace_id, base_id, id);
CREATE INDEX documents_by_status ON documents (workspace_id, base_id, status, id) INCLUDE (chunks);
CREATE INDEX documents_by_file ON documents (workspace_id, file_id) WHERE file_id IS NOT NULL;
CREATE INDEX documents_unfinished ON documents (updated_at) WHERE status NOT IN ('ready', 'failed');

-- The text that offsets refer to, one row a generation. Generation 0 is a text as it was sent.
CREATE TABLE document_texts (
    workspace_id uuid NOT NULL,
    document_id  uuid NOT NULL,
    generation   integer NOT NULL,
    text         text NOT NULL,
    outline      bytea NOT NULL, -- the blocks that the text was made of: JSON, compressed with gzip; empty in generation 0
    page_starts  integer[],      -- in code points; null: the format has no pages
    PRIMARY KEY (workspace_id, document_id, generation),
    FOREIGN KEY (workspace_id, document_id) REFERENCES documents (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE chunks (
    workspace_id uuid NOT NULL,
    id           uuid NOT NULL,
    base_id      uuid NOT NULL,
    document_id  uuid NOT NULL,
    generation   integer NOT NULL,
    ordinal      integer NOT NULL, -- from 0 on
    page         integer,
    start_at     integer NOT NULL, -- in code points of the text of this generation
    end_at       integer NOT NULL,
    headings     text[] NOT NULL,
    table_header text NOT NULL, -- of the table in whose middle it begins; else empty
    text         text NOT NULL,
    tsv          tsvector NOT NULL, -- headings with the weight A, text with B
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT chunks_ordinal_key UNIQUE (workspace_id, document_id, generation, ordinal),
    FOREIGN KEY (workspace_id, document_id) REFERENCES documents (workspace_id, id) ON DELETE CASCADE
);
-- A search reads the tsv of many chunks and the text of few: it is the text that moves out of the row.
ALTER TABLE chunks ALTER tsv SET STORAGE MAIN;
ALTER TABLE document_texts ALTER outline SET STORAGE EXTERNAL;
CREATE INDEX chunks_search ON chunks USING gin (workspace_id, base_id, tsv);

-- In how many chunks of a workspace each lexeme is, for the weight of a word in a search and to correct misspelled words. The
-- empty word counts all chunks.
CREATE TABLE lexicon (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    language     text NOT NULL,
    word         text NOT NULL,
    chunks       integer NOT NULL,
    PRIMARY KEY (workspace_id, language, word)
) WITH (fillfactor = 70);
CREATE INDEX lexicon_similar ON lexicon USING gin (workspace_id, language, word ext.gin_trgm_ops);

SELECT app.wall('knowledge_bases'), app.wall('documents'), app.wall('document_texts'), app.wall('chunks'), app.wall('lexicon');
-- Bots do not know any base yet: a key that is limited to some bots sees none.
SELECT app.close_to_limited_keys('knowledge_bases'), app.close_to_limited_keys('documents'), app.close_to_limited_keys('document_texts'),
       app.close_to_limited_keys('chunks'), app.close_to_limited_keys('lexicon');
GRANT SELECT, INSERT, DELETE, UPDATE (name, description, chunk_size, chunk_overlap, updated_at, deleted_at) ON knowledge_bases TO parley_app;
GRANT SELECT, INSERT, DELETE, UPDATE (file_id, title, metadata, status, stage, generation, building, build_size, build_overlap, build_reuse, chunks_done, chunks_total,
    chunks, characters, text_bytes, pages, error_code, error_message, updated_at, indexed_at) ON documents TO parley_app;
GRANT SELECT, INSERT, DELETE ON document_texts, chunks TO parley_app;
GRANT SELECT, INSERT, DELETE, UPDATE (chunks) ON lexicon TO parley_app;

-- Stores chunks of a generation, each as {id, ordinal, page, start, end, headings, table_header, text, heading_words, words}, where words are
-- separated by single spaces, and counts their lexemes. Chunks that are there already stay. Returns how many it has stored.
CREATE FUNCTION app.store_chunks(workspace uuid, base uuid, document uuid, its_generation integer, its_language text, list jsonb) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    stored integer;
BEGIN
    WITH fresh AS (
        INSERT INTO public.chunks (workspace_id, id, base_id, document_id, generation, ordinal, page, start_at, end_at, headings, table_header, text, tsv)
        SELECT workspace, c.id, base, document, its_generation, c.ordinal, c.page, c.start, c."end", c.headings, c.table_header, c.text,
               setweight(to_tsvector(its_language::regconfig, c.heading_words), 'A') || setweight(to_tsvector(its_language::regconfig, c.words), 'B')
          FROM jsonb_to_recordset(list) AS c(id uuid, ordinal integer, page integer, start integer, "end" integer, headings text[], table_header text, text text,
                                             heading_words text, words text)
            ON CONFLICT DO NOTHING
        RETURNING tsv
    ), counted AS (
        SELECT w.word, count(*)::integer AS n FROM fresh f, unnest(tsvector_to_array(f.tsv)) w(word) GROUP BY w.word
        UNION ALL
        SELECT '', count(*)::integer FROM fresh HAVING count(*) > 0
    ), words AS (
        INSERT INTO public.lexicon AS l (workspace_id, language, word, chunks)
        SELECT workspace, its_language, c.word, c.n FROM counted c ORDER BY c.word COLLATE "C" -- one order, so that nobody waits in a circle
            ON CONFLICT (workspace_id, language, word) DO UPDATE SET chunks = l.chunks + excluded.chunks
    )
    SELECT count(*) INTO stored FROM fresh;
    RETURN stored;
END $$;

-- Removes chunks of a document that are of generations before one, max_rows at the most, and takes their lexemes from the lexicon.
-- Returns how many it has removed.
CREATE FUNCTION app.remove_chunks(workspace uuid, document uuid, before integer, its_language text, max_rows integer) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    removed integer;
    words   text[];
    counts  integer[];
BEGIN
    WITH chosen AS (
        SELECT c.id FROM public.chunks c
         WHERE c.workspace_id = workspace AND c.document_id = document AND c.generation < before
         ORDER BY c.generation, c.ordinal
         LIMIT max_rows
    ), gone AS (
        DELETE FROM public.chunks c USING chosen WHERE c.workspace_id = workspace AND c.id = chosen.id RETURNING c.tsv
    ), counted AS (
        SELECT w.word, count(*)::integer AS n FROM gone g, unnest(tsvector_to_array(g.tsv)) w(word) GROUP BY w.word
        UNION ALL
        SELECT '', count(*)::integer FROM gone HAVING count(*) > 0
    )
    SELECT (SELECT count(*) FROM gone), array_agg(c.word), array_agg(c.n) INTO removed, words, counts FROM counted c;
    IF removed > 0 THEN
        PERFORM FROM public.lexicon l WHERE l.workspace_id = workspace AND l.language = its_language AND l.word = ANY (words)
          ORDER BY l.word COLLATE "C" FOR UPDATE;
        UPDATE public.lexicon l SET chunks = l.chunks - c.n FROM unnest(words, counts) c(word, n)
         WHERE l.workspace_id = workspace AND l.language = its_language AND l.word = c.word;
        DELETE FROM public.lexicon l WHERE l.workspace_id = workspace AND l.language = its_language AND l.word = ANY (words) AND l.chunks <= 0;
    END IF;
    RETURN removed;
END $$;
REVOKE EXECUTE ON FUNCTION app.store_chunks(uuid, uuid, uuid, integer, text, jsonb), app.remove_chunks(uuid, uuid, integer, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.store_chunks(uuid, uuid, uuid, integer, text, jsonb), app.remove_chunks(uuid, uuid, integer, text, integer) TO parley_app;

-- Documents that wait for a job that is not there, of all workspaces, and deleted bases. The document is null for a base.
GRANT SELECT (workspace_id, id, base_id, status, building, updated_at) ON documents TO parley_door;
GRANT SELECT (workspace_id, id, deleted_at) ON knowledge_bases TO parley_door;
CREATE POLICY door ON documents FOR SELECT TO parley_door USING (true);
CREATE POLICY door ON knowledge_bases FOR SELECT TO parley_door USING (true);
CREATE INDEX knowledge_bases_deleted ON knowledge_bases (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE FUNCTION app.locate_unfinished_documents(older_seconds double precision, max_rows integer) RETURNS TABLE (workspace_id uuid, base_id uuid, document_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    (SELECT d.workspace_id, d.base_id, d.id
       FROM public.documents d
      WHERE d.status NOT IN ('ready', 'failed') AND d.updated_at < now() - older_seconds * interval '1 second'
        AND NOT EXISTS (SELECT FROM public.job_queue j
                         WHERE j.workspace_id = d.workspace_id AND j.kind = 'document.ingest' AND j.status IN ('queued', 'running')
                           AND j.key = d.id || ' ' || CASE d.status WHEN 'deleting' THEN 'delete' ELSE d.building::text END)
      ORDER BY d.updated_at
      LIMIT max_rows)
    UNION ALL
    (SELECT b.workspace_id, b.id, NULL
       FROM public.knowledge_bases b
      WHERE b.deleted_at < now() - older_seconds * interval '1 second'
        AND NOT EXISTS (SELECT FROM public.job_queue j
                         WHERE j.workspace_id = b.workspace_id AND j.kind = 'knowledge_base.schedule' AND j.status IN ('queued', 'running') AND j.key = b.id::text)
      ORDER BY b.deleted_at
      LIMIT max_rows)
$$;
GRANT CREATE ON SCHEMA app TO parley_door;
ALTER FUNCTION app.locate_unfinished_documents(double precision, integer) OWNER TO parley_door;
REVOKE CREATE ON SCHEMA app FROM parley_door;
REVOKE EXECUTE ON FUNCTION app.locate_unfinished_documents(double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.locate_unfinished_documents(double precision, integer) TO parley_app;

-- Bases, documents, chunks and bytes of text have limits. A new check reads the table.
ALTER TABLE workspace_limits NO FORCE ROW LEVEL SECURITY;
ALTER TABLE workspace_limits DROP CONSTRAINT workspace_limits_metric_check, ADD CONSTRAINT workspace_limits_metric_check
    CHECK (metric IN ('turns', 'tokens', 'messages', 'webhook_events', 'storage_bytes', 'bots', 'members', 'api_keys', 'webhook_subscriptions', 'cost_micros',
                      'knowledge_bases', 'documents', 'chunks', 'knowledge_bytes'));
ALTER TABLE workspace_limits FORCE ROW LEVEL SECURITY;

-- How many there are of what is counted as it is; null for other metrics.
CREATE OR REPLACE FUNCTION app.level(workspace uuid, metric text) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    n             bigint;
BEGIN
    CASE metric
        WHEN 'bots' THEN
            PERFORM app.set_tenant(its_workspace, its_user, its_role, '');
            n := (SELECT count(*) FROM public.bots b WHERE b.workspace_id = workspace AND b.status <> 'archived');
            PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
            RETURN n;
        WHEN 'webhook_subscriptions' THEN
            PERFORM app.set_tenant(its_workspace, its_user, its_role, '');
            n := (SELECT count(*) FROM public.webhook_subscriptions s WHERE s.workspace_id = workspace AND s.deleted_at IS NULL);
            PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
            RETURN n;
        WHEN 'members' THEN RETURN (SELECT count(*) FROM public.workspace_members m WHERE m.workspace_id = workspace);
        WHEN 'api_keys' THEN RETURN (SELECT count(*) FROM public.api_keys k
                                      WHERE k.workspace_id = workspace AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()));
        WHEN 'knowledge_bases' THEN RETURN (SELECT count(*) FROM public.knowledge_bases b WHERE b.workspace_id = workspace AND b.deleted_at IS NULL);
        WHEN 'documents' THEN RETURN (SELECT count(*) FROM public.documents d WHERE d.workspace_id = workspace AND d.status <> 'deleting');
        WHEN 'chunks' THEN RETURN (SELECT coalesce(sum(d.chunks), 0) FROM public.documents d WHERE d.workspace_id = workspace AND d.status <> 'deleting');
        WHEN 'knowledge_bytes' THEN RETURN (SELECT coalesce(sum(d.text_bytes), 0) FROM public.documents d WHERE d.workspace_id = workspace AND d.status <> 'deleting');
        ELSE RETURN NULL;
    END CASE;
END $$;
