-- The schema after the last migration, as it is in force. Generated from db/migrations (go test ./db -update): never edited.

CREATE TABLE account_devices (
  user_id uuid NOT NULL,
  device text NOT NULL,
  network text NOT NULL,
  first_seen_at timestamp with time zone NOT NULL,
  last_seen_at timestamp with time zone NOT NULL,
  CONSTRAINT account_devices_device_check CHECK ((char_length(device) <= 100)),
  CONSTRAINT account_devices_network_check CHECK ((char_length(network) <= 50)),
  CONSTRAINT account_devices_pkey PRIMARY KEY (user_id, device, network),
  CONSTRAINT account_devices_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

ALTER TABLE account_devices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY self ON account_devices AS PERMISSIVE FOR ALL TO parley_app
  USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
  WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE ON account_devices TO parley_app;

CREATE TABLE account_emails (
  id uuid NOT NULL,
  kind text NOT NULL,
  user_id uuid,
  address text NOT NULL,
  language text NOT NULL,
  trace_id text NOT NULL,
  attempt integer NOT NULL DEFAULT 0,
  run_at timestamp with time zone NOT NULL DEFAULT now(),
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  facts jsonb NOT NULL DEFAULT '{}'::jsonb,
  CONSTRAINT account_emails_address_check CHECK (((char_length(address) >= 3) AND (char_length(address) <= 320))),
  CONSTRAINT account_emails_pkey PRIMARY KEY (id),
  CONSTRAINT account_emails_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE INDEX account_emails_next ON public.account_emails USING btree (run_at, id);

CREATE INDEX account_emails_of_user ON public.account_emails USING btree (user_id) WHERE (user_id IS NOT NULL);

ALTER TABLE account_emails ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON account_emails AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT DELETE, INSERT, SELECT, UPDATE ON account_emails TO parley_door;

CREATE TABLE account_events (
  user_id uuid NOT NULL,
  id uuid NOT NULL,
  action text NOT NULL,
  reason text NOT NULL,
  wanted_workspace_id uuid,
  operation_id uuid,
  trace_id text NOT NULL,
  ip inet,
  user_agent text NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT account_events_pkey PRIMARY KEY (user_id, id),
  CONSTRAINT account_events_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE INDEX account_events_by_age ON public.account_events USING brin (created_at) WITH (autosummarize='on');

CREATE INDEX account_events_newest ON public.account_events USING btree (user_id, created_at);

ALTER TABLE account_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON account_events AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY self ON account_events AS PERMISSIVE FOR ALL TO parley_app
  USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
  WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

CREATE TRIGGER append_only BEFORE UPDATE ON public.account_events FOR EACH ROW EXECUTE FUNCTION app.refuse_change();

CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.account_events FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();

GRANT INSERT, SELECT ON account_events TO parley_app;

GRANT DELETE, SELECT (created_at, id, user_id) ON account_events TO parley_door;

CREATE TABLE account_failures (
  account_hash bytea NOT NULL,
  failures integer NOT NULL,
  blocked_until timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT account_failures_account_hash_check CHECK ((octet_length(account_hash) = 32)),
  CONSTRAINT account_failures_pkey PRIMARY KEY (account_hash)
);

ALTER TABLE account_failures ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON account_failures AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT DELETE, INSERT, SELECT, UPDATE ON account_failures TO parley_door;

CREATE TABLE account_identities (
  user_id uuid NOT NULL,
  id uuid NOT NULL,
  provider text NOT NULL,
  issuer text NOT NULL,
  subject text NOT NULL,
  email text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  used_at timestamp with time zone NOT NULL,
  CONSTRAINT account_identities_issuer_check CHECK (((char_length(issuer) >= 1) AND (char_length(issuer) <= 1000))),
  CONSTRAINT account_identities_pkey PRIMARY KEY (user_id, id),
  CONSTRAINT account_identities_subject_check CHECK (((char_length(subject) >= 1) AND (char_length(subject) <= 255))),
  CONSTRAINT account_identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX account_identities_by_subject ON public.account_identities USING btree (issuer, subject);

ALTER TABLE account_identities ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON account_identities AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY self ON account_identities AS PERMISSIVE FOR ALL TO parley_app
  USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
  WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE ON account_identities TO parley_app;

GRANT SELECT (issuer, subject, user_id) ON account_identities TO parley_door;

CREATE TABLE account_links (
  user_id uuid NOT NULL,
  purpose text NOT NULL,
  token_hash bytea NOT NULL,
  code_hash bytea,
  address text NOT NULL,
  wrong_codes integer NOT NULL DEFAULT 0,
  created_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  proved_at timestamp with time zone,
  with_account boolean NOT NULL DEFAULT false,
  CONSTRAINT account_links_code_hash_check CHECK ((octet_length(code_hash) = 32)),
  CONSTRAINT account_links_pkey PRIMARY KEY (user_id, purpose),
  CONSTRAINT account_links_token_hash_check CHECK ((octet_length(token_hash) = 32)),
  CONSTRAINT account_links_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE INDEX account_links_by_end ON public.account_links USING btree (expires_at);

CREATE UNIQUE INDEX account_links_by_token ON public.account_links USING btree (token_hash);

ALTER TABLE account_links ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON account_links AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY self ON account_links AS PERMISSIVE FOR ALL TO parley_app
  USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
  WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE ON account_links TO parley_app;

GRANT DELETE, SELECT ON account_links TO parley_door;

CREATE TABLE account_recovery_codes (
  user_id uuid NOT NULL,
  code_hash bytea NOT NULL,
  created_at timestamp with time zone NOT NULL,
  CONSTRAINT account_recovery_codes_code_hash_check CHECK ((octet_length(code_hash) = 32)),
  CONSTRAINT account_recovery_codes_pkey PRIMARY KEY (user_id, code_hash),
  CONSTRAINT account_recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

ALTER TABLE account_recovery_codes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY self ON account_recovery_codes AS PERMISSIVE FOR ALL TO parley_app
  USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
  WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT ON account_recovery_codes TO parley_app;

CREATE TABLE account_sessions (
  user_id uuid NOT NULL,
  id uuid NOT NULL,
  generation integer NOT NULL,
  rotated_at timestamp with time zone NOT NULL,
  retirements timestamp with time zone[] NOT NULL DEFAULT '{}'::timestamp with time zone[],
  kid text NOT NULL,
  idle_expires_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  revoked_at timestamp with time zone,
  created_at timestamp with time zone NOT NULL,
  ip inet,
  user_agent text NOT NULL,
  authenticated_at timestamp with time zone,
  amr text[] NOT NULL DEFAULT '{pwd}'::text[],
  CONSTRAINT account_sessions_generation_check CHECK ((generation >= 1)),
  CONSTRAINT account_sessions_pkey PRIMARY KEY (user_id, id),
  CONSTRAINT account_sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

ALTER TABLE account_sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON account_sessions AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY door_end ON account_sessions AS PERMISSIVE FOR UPDATE TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY door_expire ON account_sessions AS PERMISSIVE FOR DELETE TO parley_door
  USING ((app.session_end(revoked_at, idle_expires_at, expires_at) < (now() - '30 days'::interval)));

CREATE POLICY self ON account_sessions AS PERMISSIVE FOR ALL TO parley_app
  USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
  WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (amr, authenticated_at, generation, idle_expires_at, kid, retirements, revoked_at, rotated_at) ON account_sessions TO parley_app;

GRANT DELETE, SELECT (amr, authenticated_at, created_at, expires_at, id, idle_expires_at, revoked_at, user_id), UPDATE (revoked_at) ON account_sessions TO parley_door;

CREATE TABLE account_tickets (
  user_id uuid NOT NULL,
  token_hash bytea NOT NULL,
  wanted_workspace_id uuid,
  methods text[] NOT NULL,
  password_print bytea NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  created_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  CONSTRAINT account_tickets_pkey PRIMARY KEY (user_id, token_hash),
  CONSTRAINT account_tickets_token_hash_check CHECK ((octet_length(token_hash) = 32)),
  CONSTRAINT account_tickets_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE INDEX account_tickets_by_end ON public.account_tickets USING btree (expires_at);

ALTER TABLE account_tickets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON account_tickets AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY self ON account_tickets AS PERMISSIVE FOR ALL TO parley_app
  USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
  WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE ON account_tickets TO parley_app;

GRANT DELETE, SELECT ON account_tickets TO parley_door;

CREATE TABLE account_totp (
  user_id uuid NOT NULL,
  id uuid NOT NULL,
  sealed bytea NOT NULL,
  last_step bigint NOT NULL DEFAULT 0,
  wrong_codes integer NOT NULL DEFAULT 0,
  created_at timestamp with time zone NOT NULL,
  confirmed_at timestamp with time zone,
  CONSTRAINT account_totp_pkey PRIMARY KEY (user_id),
  CONSTRAINT account_totp_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

ALTER TABLE account_totp ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON account_totp AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY self ON account_totp AS PERMISSIVE FOR ALL TO parley_app
  USING ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
  WITH CHECK ((user_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE ON account_totp TO parley_app;

GRANT SELECT (confirmed_at, sealed, user_id) ON account_totp TO parley_door;

CREATE TABLE analytics_daily (
  workspace_id uuid NOT NULL,
  day date NOT NULL,
  bot_id uuid NOT NULL,
  turns bigint NOT NULL,
  completed bigint NOT NULL,
  failed bigint NOT NULL,
  messages bigint NOT NULL,
  webhook_events bigint NOT NULL,
  audit_entries bigint NOT NULL,
  input_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  cost_micros bigint NOT NULL,
  CONSTRAINT analytics_daily_pkey PRIMARY KEY (workspace_id, day, bot_id)
);

ALTER TABLE analytics_daily ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON analytics_daily AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON analytics_daily AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((bot_id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(bot_id)
END);

CREATE POLICY purge ON analytics_daily AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = analytics_daily.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON analytics_daily AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = analytics_daily.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON analytics_daily AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT SELECT ON analytics_daily TO parley_app;

GRANT DELETE, INSERT, SELECT, SELECT (workspace_id), UPDATE ON analytics_daily TO parley_door;

CREATE TABLE analytics_latency (
  workspace_id uuid NOT NULL,
  day date NOT NULL,
  bot_id uuid NOT NULL,
  bucket integer NOT NULL,
  turns bigint NOT NULL,
  CONSTRAINT analytics_latency_bucket_check CHECK ((bucket >= 0)),
  CONSTRAINT analytics_latency_pkey PRIMARY KEY (workspace_id, day, bot_id, bucket)
);

ALTER TABLE analytics_latency ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON analytics_latency AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON analytics_latency AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((bot_id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(bot_id)
END);

CREATE POLICY purge ON analytics_latency AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = analytics_latency.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON analytics_latency AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = analytics_latency.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON analytics_latency AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT SELECT ON analytics_latency TO parley_app;

GRANT DELETE, INSERT, SELECT, SELECT (workspace_id), UPDATE ON analytics_latency TO parley_door;

CREATE TABLE analytics_latency_quarters (
  workspace_id uuid NOT NULL,
  quarter timestamp with time zone NOT NULL,
  bot_id uuid NOT NULL,
  bucket integer NOT NULL,
  turns bigint NOT NULL,
  CONSTRAINT analytics_latency_quarters_bucket_check CHECK ((bucket >= 0)),
  CONSTRAINT analytics_latency_quarters_pkey PRIMARY KEY (workspace_id, quarter, bot_id, bucket)
);

ALTER TABLE analytics_latency_quarters ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON analytics_latency_quarters AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON analytics_latency_quarters AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((bot_id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(bot_id)
END);

CREATE POLICY purge ON analytics_latency_quarters AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = analytics_latency_quarters.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON analytics_latency_quarters AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = analytics_latency_quarters.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON analytics_latency_quarters AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT SELECT ON analytics_latency_quarters TO parley_app;

GRANT DELETE, INSERT, SELECT, SELECT (workspace_id), UPDATE ON analytics_latency_quarters TO parley_door;

CREATE TABLE analytics_outbox (
  workspace_id uuid NOT NULL,
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  kind text NOT NULL,
  count integer NOT NULL,
  messages integer NOT NULL DEFAULT 0,
  at timestamp with time zone NOT NULL,
  bot_id uuid,
  provider text NOT NULL DEFAULT ''::text,
  model text NOT NULL DEFAULT ''::text,
  input_tokens bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  cost_micros bigint NOT NULL DEFAULT 0,
  latency_ms integer,
  written_at timestamp with time zone NOT NULL DEFAULT now(),
  batch uuid,
  CONSTRAINT analytics_outbox_kind_check CHECK ((kind = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text, 'webhook_event'::text, 'audit'::text]))),
  CONSTRAINT analytics_outbox_pkey PRIMARY KEY (workspace_id, id)
);

CREATE INDEX analytics_outbox_batches ON public.analytics_outbox USING btree (batch) WHERE (batch IS NOT NULL);

ALTER TABLE analytics_outbox ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON analytics_outbox AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON analytics_outbox AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((bot_id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(bot_id)
END);

CREATE POLICY purge ON analytics_outbox AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = analytics_outbox.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON analytics_outbox AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = analytics_outbox.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON analytics_outbox AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT ON analytics_outbox TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id), UPDATE (batch) ON analytics_outbox TO parley_door;

CREATE TABLE analytics_quarters (
  workspace_id uuid NOT NULL,
  quarter timestamp with time zone NOT NULL,
  bot_id uuid NOT NULL,
  turns bigint NOT NULL,
  completed bigint NOT NULL,
  failed bigint NOT NULL,
  messages bigint NOT NULL,
  webhook_events bigint NOT NULL,
  audit_entries bigint NOT NULL,
  input_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  cost_micros bigint NOT NULL,
  CONSTRAINT analytics_quarters_pkey PRIMARY KEY (workspace_id, quarter, bot_id)
);

ALTER TABLE analytics_quarters ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON analytics_quarters AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON analytics_quarters AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((bot_id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(bot_id)
END);

CREATE POLICY purge ON analytics_quarters AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = analytics_quarters.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON analytics_quarters AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = analytics_quarters.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON analytics_quarters AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT SELECT ON analytics_quarters TO parley_app;

GRANT DELETE, INSERT, SELECT, SELECT (workspace_id), UPDATE ON analytics_quarters TO parley_door;

CREATE TABLE api_keys (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  hash bytea NOT NULL,
  hint text NOT NULL,
  role text NOT NULL,
  bot_ids uuid[],
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone,
  last_used_at timestamp with time zone,
  revoked_at timestamp with time zone,
  responsible_id uuid,
  suspended_at timestamp with time zone,
  allowed_addresses text[],
  limits jsonb,
  keeps_calls boolean NOT NULL DEFAULT false,
  CONSTRAINT api_keys_allowed_addresses_check CHECK (((cardinality(allowed_addresses) >= 1) AND (cardinality(allowed_addresses) <= 50))) NOT VALID,
  CONSTRAINT api_keys_bot_ids_check CHECK (((cardinality(bot_ids) >= 1) AND (cardinality(bot_ids) <= 100))),
  CONSTRAINT api_keys_hash_check CHECK ((octet_length(hash) = 32)),
  CONSTRAINT api_keys_hash_key UNIQUE (hash),
  CONSTRAINT api_keys_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
  CONSTRAINT api_keys_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT api_keys_role_check CHECK ((role = ANY (ARRAY['editor'::text, 'viewer'::text, 'chat'::text, 'embed'::text]))),
  CONSTRAINT api_keys_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON api_keys AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY purge ON api_keys AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = api_keys.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON api_keys AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = api_keys.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON api_keys AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE (allowed_addresses, keeps_calls, last_used_at, limits, name, responsible_id, revoked_at, suspended_at) ON api_keys TO parley_app;

GRANT DELETE, SELECT (bot_ids, created_by, expires_at, hash, id, responsible_id, revoked_at, role, suspended_at, workspace_id) ON api_keys TO parley_door;

CREATE VIEW app.attachable_files AS
 SELECT files.workspace_id,
    files.id,
    files.name,
    files.content_type,
    files.size
   FROM files;

GRANT SELECT ON app.attachable_files TO parley_app;

CREATE VIEW app.bot_endpoints AS
 SELECT e.workspace_id,
    e.bot_id,
    e.id
   FROM webhook_endpoints e
  WHERE e.deleted_at IS NULL;

GRANT SELECT ON app.bot_endpoints TO parley_app;

CREATE VIEW app.bot_knowledge AS
 SELECT b.workspace_id,
    b.id AS bot_id,
    b.name,
    b.status,
    v.version,
    v.version = b.published_version AS published,
    lower((v.settings -> 'knowledge'::text)::text)::jsonb AS bases
   FROM bots b
     CROSS JOIN LATERAL ( SELECT w.version,
            w.settings
           FROM bot_versions w
          WHERE w.workspace_id = b.workspace_id AND w.bot_id = b.id AND (w.version = ANY (ARRAY[b.current_version, b.published_version]))
         OFFSET 0) v
  WHERE v.settings ? 'knowledge'::text;

GRANT SELECT ON app.bot_knowledge TO parley_app;

CREATE VIEW app.bot_names AS
 SELECT b.workspace_id,
    b.id AS bot_id,
    b.name,
    b.created_at
   FROM bots b
  WHERE b.deleted_at IS NULL AND b.status <> 'archived'::text;

GRANT SELECT ON app.bot_names TO parley_app;

CREATE VIEW app.bot_tools AS
 SELECT b.workspace_id,
    b.id AS bot_id,
    b.name,
    b.status,
    v.version,
    v.version = b.published_version AS published,
    lower((v.settings -> 'tools'::text)::text)::jsonb AS tools
   FROM bots b
     CROSS JOIN LATERAL ( SELECT w.version,
            w.settings
           FROM bot_versions w
          WHERE w.workspace_id = b.workspace_id AND w.bot_id = b.id AND (w.version = ANY (ARRAY[b.current_version, b.published_version]))
         OFFSET 0) v
  WHERE v.settings ? 'tools'::text;

GRANT SELECT ON app.bot_tools TO parley_app;

CREATE VIEW app.channel_threads AS
 SELECT threads.workspace_id,
    threads.endpoint_id,
    threads.conversation_id,
    threads.id,
    threads.bot_id,
    threads.status
   FROM threads
  WHERE threads.endpoint_id IS NOT NULL;

GRANT SELECT ON app.channel_threads TO parley_app;

CREATE VIEW app.default_models AS
 SELECT model_settings.workspace_id,
    model_settings.default_model,
    model_settings.fallbacks
   FROM model_settings;

GRANT SELECT ON app.default_models TO parley_app;

CREATE VIEW app.file_owners AS
 SELECT files.workspace_id,
    files.owner_id
   FROM files
  WHERE files.owner_id IS NOT NULL;

GRANT SELECT ON app.file_owners TO parley_app;

CREATE VIEW app.live_versions AS
 SELECT b.workspace_id,
    b.id AS bot_id,
    v.version,
    v.instruction,
    v.settings,
    b.status,
    b.deleted_at
   FROM bots b
     JOIN bot_versions v ON v.workspace_id = b.workspace_id AND v.bot_id = b.id AND v.version = b.published_version;

GRANT SELECT ON app.live_versions TO parley_app;

CREATE VIEW app.operation_turns AS
 SELECT llm_turns.workspace_id,
    llm_turns.actor_id,
    llm_turns.operation_id,
    llm_turns.id,
    llm_turns.thread_id
   FROM llm_turns;

GRANT SELECT ON app.operation_turns TO parley_app;

CREATE VIEW app.own_model_keys AS
 SELECT model_keys.workspace_id,
    model_keys.provider
   FROM model_keys;

GRANT SELECT ON app.own_model_keys TO parley_app;

CREATE VIEW app.resources AS
 SELECT r.workspace_id,
    r.kind,
    r.id,
    r.name,
    r.status,
    r.created_by,
    r.responsible_id,
    COALESCE(k.responsible_id, k.created_by, r.responsible_id) AS member_id,
    r.created_at,
    r.stopped_at
   FROM ( SELECT a.workspace_id,
            'api_key'::text AS kind,
            a.id,
            a.name,
                CASE
                    WHEN a.suspended_at IS NULL THEN 'active'::text
                    ELSE 'suspended'::text
                END AS status,
            a.created_by,
            COALESCE(a.responsible_id, a.created_by) AS responsible_id,
            a.created_at,
            a.suspended_at AS stopped_at
           FROM api_keys a
          WHERE a.revoked_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > now())
        UNION ALL
         SELECT s.workspace_id,
            'webhook_subscription'::text AS kind,
            s.id,
            s.url,
                CASE
                    WHEN s.held_at IS NULL THEN s.status
                    ELSE 'held'::text
                END AS status,
            s.created_by,
            COALESCE(s.responsible_id, s.created_by) AS "coalesce",
            s.created_at,
            s.held_at
           FROM webhook_subscriptions s
          WHERE s.deleted_at IS NULL
        UNION ALL
         SELECT e.workspace_id,
            'webhook_endpoint'::text AS kind,
            e.id,
            e.name,
            e.status,
            e.created_by,
            COALESCE(e.responsible_id, e.created_by) AS "coalesce",
            e.created_at,
            NULL::timestamp with time zone AS stopped_at
           FROM webhook_endpoints e
          WHERE e.deleted_at IS NULL) r
     LEFT JOIN api_keys k ON k.workspace_id = r.workspace_id AND k.id = r.responsible_id;

GRANT SELECT ON app.resources TO parley_app;

CREATE VIEW app.thread_owners AS
 SELECT threads.workspace_id,
    threads.owner_id
   FROM threads
  WHERE threads.owner_id IS NOT NULL;

GRANT SELECT ON app.thread_owners TO parley_app;

CREATE VIEW app.versions AS
 SELECT bot_versions.workspace_id,
    bot_versions.bot_id,
    bot_versions.version,
    bot_versions.instruction,
    bot_versions.settings
   FROM bot_versions;

GRANT SELECT ON app.versions TO parley_app;

CREATE TABLE applied_migrations (
  version bigint NOT NULL,
  checksum text NOT NULL,
  applied_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT applied_migrations_checksum_check CHECK ((checksum ~ '^[0-9a-f]{64}$'::text)),
  CONSTRAINT applied_migrations_pkey PRIMARY KEY (version)
);

CREATE TABLE audit_cuts (
  workspace_id uuid NOT NULL,
  seq bigint NOT NULL,
  rows bigint NOT NULL,
  seal_mac bytea NOT NULL,
  cut_at timestamp with time zone NOT NULL,
  mac bytea NOT NULL,
  key_id bytea NOT NULL,
  CONSTRAINT audit_cuts_key_id_check CHECK ((octet_length(key_id) = 8)),
  CONSTRAINT audit_cuts_mac_check CHECK ((octet_length(mac) = 32)),
  CONSTRAINT audit_cuts_pkey PRIMARY KEY (workspace_id),
  CONSTRAINT audit_cuts_rows_check CHECK ((rows >= 1)),
  CONSTRAINT audit_cuts_seal_mac_check CHECK ((octet_length(seal_mac) = 32)),
  CONSTRAINT audit_cuts_seq_check CHECK ((seq >= 1))
);

ALTER TABLE audit_cuts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY cut ON audit_cuts AS PERMISSIVE FOR INSERT TO parley_door
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY cut_on ON audit_cuts AS PERMISSIVE FOR UPDATE TO parley_door
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY door ON audit_cuts AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY purge ON audit_cuts AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = audit_cuts.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON audit_cuts AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = audit_cuts.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON audit_cuts AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT SELECT, UPDATE (key_id, mac) ON audit_cuts TO parley_app;

GRANT DELETE, INSERT, SELECT, SELECT (workspace_id), UPDATE ON audit_cuts TO parley_door;

CREATE TABLE audit_log (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  user_id uuid,
  operation_id uuid,
  trace_id text NOT NULL,
  action text NOT NULL,
  resource_type text NOT NULL,
  resource_id uuid,
  changes jsonb NOT NULL,
  ip inet,
  user_agent text NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  api_key_id uuid,
  CONSTRAINT audit_log_pkey PRIMARY KEY (workspace_id, id)
);

CREATE INDEX audit_log_by_action ON public.audit_log USING btree (workspace_id, action, created_at) WHERE (action <> 'turn.create'::text);

CREATE INDEX audit_log_by_age ON public.audit_log USING brin (created_at) WITH (pages_per_range='16', autosummarize='on');

CREATE INDEX audit_log_by_key ON public.audit_log USING btree (workspace_id, api_key_id, created_at) WHERE (api_key_id IS NOT NULL);

CREATE INDEX audit_log_by_operation ON public.audit_log USING btree (workspace_id, operation_id) WHERE (operation_id IS NOT NULL);

CREATE INDEX audit_log_by_resource ON public.audit_log USING btree (workspace_id, resource_id, created_at) WHERE (resource_id IS NOT NULL);

CREATE INDEX audit_log_by_type ON public.audit_log USING btree (workspace_id, resource_type, created_at) WHERE (resource_type <> 'thread'::text);

CREATE INDEX audit_log_by_user ON public.audit_log USING btree (workspace_id, user_id, created_at) WHERE (user_id IS NOT NULL);

CREATE INDEX audit_log_newest ON public.audit_log USING btree (workspace_id, created_at);

ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY cut ON audit_log AS PERMISSIVE FOR DELETE TO parley_door
  USING (((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid) AND (app.audit_row_at(id, created_at) < (now() - '90 days'::interval)) AND (EXISTS ( SELECT
   FROM audit_cuts c
  WHERE (c.workspace_id = audit_log.workspace_id)))));

CREATE POLICY door ON audit_log AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY key_bots ON audit_log AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE false
END)
  WITH CHECK (true);

CREATE POLICY purge ON audit_log AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = audit_log.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON audit_log AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = audit_log.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON audit_log AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.audit_log FOR EACH ROW EXECUTE FUNCTION app.refuse_change();

CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();

GRANT INSERT, SELECT ON audit_log TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id) ON audit_log TO parley_door;

CREATE TABLE audit_seal_heads (
  workspace_id uuid NOT NULL,
  seq bigint NOT NULL,
  mac_seq bigint,
  mac_rows bigint,
  mac bytea,
  anchored_seq bigint NOT NULL DEFAULT 0,
  key_id bytea,
  CONSTRAINT audit_seal_heads_authenticated CHECK ((((mac IS NULL) = (mac_seq IS NULL)) AND ((mac IS NULL) = (mac_rows IS NULL)))),
  CONSTRAINT audit_seal_heads_key_id_check CHECK ((octet_length(key_id) = 8)),
  CONSTRAINT audit_seal_heads_mac_check CHECK ((octet_length(mac) = 32)),
  CONSTRAINT audit_seal_heads_pkey PRIMARY KEY (workspace_id)
);

CREATE INDEX audit_seal_heads_to_adopt ON public.audit_seal_heads USING btree (workspace_id) WHERE (mac IS NULL);

CREATE INDEX audit_seal_heads_to_anchor ON public.audit_seal_heads USING btree (workspace_id) WHERE (mac_seq > anchored_seq);

ALTER TABLE audit_seal_heads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON audit_seal_heads AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY purge ON audit_seal_heads AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = audit_seal_heads.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON audit_seal_heads AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = audit_seal_heads.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON audit_seal_heads AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE ON audit_seal_heads TO parley_app;

GRANT DELETE, SELECT (anchored_seq, key_id, mac, mac_seq, workspace_id) ON audit_seal_heads TO parley_door;

CREATE TABLE audit_seal_progress (
  singleton boolean NOT NULL DEFAULT true,
  sealed_at timestamp with time zone NOT NULL,
  adopt_until timestamp with time zone,
  adopt_mac bytea,
  CONSTRAINT audit_seal_progress_pkey PRIMARY KEY (singleton),
  CONSTRAINT audit_seal_progress_singleton_check CHECK (singleton)
);

ALTER TABLE audit_seal_progress ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON audit_seal_progress AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT INSERT, SELECT, UPDATE ON audit_seal_progress TO parley_door;

CREATE TABLE audit_seals (
  workspace_id uuid NOT NULL,
  seq bigint NOT NULL,
  row_ids uuid[] NOT NULL,
  sealed_at timestamp with time zone NOT NULL,
  mac bytea NOT NULL,
  key_id bytea,
  CONSTRAINT audit_seals_key_id_check CHECK ((octet_length(key_id) = 8)),
  CONSTRAINT audit_seals_mac_check CHECK ((octet_length(mac) = 32)),
  CONSTRAINT audit_seals_pkey PRIMARY KEY (workspace_id, seq),
  CONSTRAINT audit_seals_row_ids_check CHECK ((cardinality(row_ids) >= 1)),
  CONSTRAINT audit_seals_seq_check CHECK ((seq >= 1))
);

CREATE INDEX audit_seals_by_age ON public.audit_seals USING btree (sealed_at);

ALTER TABLE audit_seals ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY cut ON audit_seals AS PERMISSIVE FOR DELETE TO parley_door
  USING (((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid) AND (EXISTS ( SELECT
   FROM audit_cuts c
  WHERE ((c.workspace_id = audit_seals.workspace_id) AND (c.seq >= audit_seals.seq))))));

CREATE POLICY door ON audit_seals AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY purge ON audit_seals AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = audit_seals.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON audit_seals AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = audit_seals.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON audit_seals AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.audit_seals FOR EACH ROW EXECUTE FUNCTION app.refuse_change();

CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON public.audit_seals FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();

GRANT INSERT, SELECT ON audit_seals TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id) ON audit_seals TO parley_door;

CREATE TABLE bot_pointer_moves (
  workspace_id uuid NOT NULL,
  bot_id uuid NOT NULL,
  number integer NOT NULL,
  pointer text NOT NULL,
  from_version integer,
  to_version integer NOT NULL,
  cause text NOT NULL,
  moved_by uuid NOT NULL,
  moved_at timestamp with time zone NOT NULL,
  CONSTRAINT bot_pointer_moves_cause_check CHECK ((cause = ANY (ARRAY['create'::text, 'edit'::text, 'rollback'::text, 'publish'::text]))),
  CONSTRAINT bot_pointer_moves_number_check CHECK ((number >= 1)),
  CONSTRAINT bot_pointer_moves_pkey PRIMARY KEY (workspace_id, bot_id, number),
  CONSTRAINT bot_pointer_moves_pointer_check CHECK ((pointer = ANY (ARRAY['current'::text, 'published'::text]))),
  CONSTRAINT bot_pointer_moves_workspace_id_bot_id_from_version_fkey FOREIGN KEY (workspace_id, bot_id, from_version) REFERENCES bot_versions(workspace_id, bot_id, version),
  CONSTRAINT bot_pointer_moves_workspace_id_bot_id_to_version_fkey FOREIGN KEY (workspace_id, bot_id, to_version) REFERENCES bot_versions(workspace_id, bot_id, version)
);

ALTER TABLE bot_pointer_moves ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY key_bots ON bot_pointer_moves AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((bot_id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(bot_id)
END);

CREATE POLICY purge ON bot_pointer_moves AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = bot_pointer_moves.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON bot_pointer_moves AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = bot_pointer_moves.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON bot_pointer_moves AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT ON bot_pointer_moves TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON bot_pointer_moves TO parley_door;

CREATE TABLE bot_versions (
  workspace_id uuid NOT NULL,
  bot_id uuid NOT NULL,
  version integer NOT NULL,
  instruction text NOT NULL,
  settings jsonb NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  note text NOT NULL DEFAULT ''::text,
  CONSTRAINT bot_versions_instruction_check CHECK ((char_length(instruction) <= 50000)),
  CONSTRAINT bot_versions_note_check CHECK ((char_length(note) <= 500)),
  CONSTRAINT bot_versions_pkey PRIMARY KEY (workspace_id, bot_id, version),
  CONSTRAINT bot_versions_settings_check CHECK ((jsonb_typeof(settings) = 'object'::text)),
  CONSTRAINT bot_versions_version_check CHECK ((version >= 1)),
  CONSTRAINT bot_versions_workspace_id_bot_id_fkey FOREIGN KEY (workspace_id, bot_id) REFERENCES bots(workspace_id, id)
);

ALTER TABLE bot_versions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY erase ON bot_versions AS PERMISSIVE FOR ALL TO parley_door
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY key_bots ON bot_versions AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((bot_id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(bot_id)
END);

CREATE POLICY purge ON bot_versions AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = bot_versions.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON bot_versions AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = bot_versions.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON bot_versions AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT ON bot_versions TO parley_app;

GRANT DELETE, SELECT (bot_id, workspace_id), UPDATE (instruction, note, settings) ON bot_versions TO parley_door;

CREATE TABLE bots (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  status text NOT NULL,
  current_version integer NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  published_version integer NOT NULL DEFAULT 1,
  deleted_at timestamp with time zone,
  threads_deleted_at timestamp with time zone,
  CONSTRAINT bots_current_version_check CHECK ((current_version >= 1)),
  CONSTRAINT bots_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
  CONSTRAINT bots_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT bots_published_version_check CHECK ((published_version >= 1)),
  CONSTRAINT bots_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'active'::text, 'archived'::text]))),
  CONSTRAINT bots_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id),
  CONSTRAINT bots_workspace_id_id_current_version_fkey FOREIGN KEY (workspace_id, id, current_version) REFERENCES bot_versions(workspace_id, bot_id, version) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT bots_workspace_id_id_published_version_fkey FOREIGN KEY (workspace_id, id, published_version) REFERENCES bot_versions(workspace_id, bot_id, version) DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX bots_newest ON public.bots USING btree (workspace_id, created_at DESC, id DESC);

CREATE INDEX bots_with_threads_to_erase ON public.bots USING btree (threads_deleted_at) WHERE (threads_deleted_at IS NOT NULL);

ALTER TABLE bots ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON bots AS PERMISSIVE FOR SELECT TO parley_door
  USING ((threads_deleted_at IS NOT NULL));

CREATE POLICY door_entry ON bots AS PERMISSIVE FOR SELECT TO parley_door
  USING (((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid) AND (deleted_at IS NULL)));

CREATE POLICY key_bots ON bots AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(id)
END);

CREATE POLICY purge ON bots AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = bots.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON bots AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = bots.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON bots AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE ON bots TO parley_app;

GRANT DELETE, SELECT (deleted_at, id, threads_deleted_at, workspace_id) ON bots TO parley_door;

CREATE TABLE caller_counts (
  workspace_id uuid NOT NULL,
  caller_id uuid NOT NULL,
  metric text NOT NULL,
  period text NOT NULL,
  began_at timestamp with time zone NOT NULL,
  used bigint NOT NULL,
  CONSTRAINT caller_counts_metric_check CHECK ((metric = ANY (ARRAY['requests'::text, 'turns'::text, 'tokens'::text, 'cost_micros'::text]))) NOT VALID,
  CONSTRAINT caller_counts_period_check CHECK ((period = ANY (ARRAY['minute'::text, 'day'::text, 'month'::text]))) NOT VALID,
  CONSTRAINT caller_counts_pkey PRIMARY KEY (workspace_id, caller_id, metric, period),
  CONSTRAINT caller_counts_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

ALTER TABLE caller_counts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY purge ON caller_counts AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = caller_counts.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON caller_counts AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = caller_counts.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON caller_counts AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE ON caller_counts TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON caller_counts TO parley_door;

CREATE TABLE chunks (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  base_id uuid NOT NULL,
  document_id uuid NOT NULL,
  generation integer NOT NULL,
  ordinal integer NOT NULL,
  page integer,
  start_at integer NOT NULL,
  end_at integer NOT NULL,
  headings text[] NOT NULL,
  table_header text NOT NULL,
  text text NOT NULL,
  tsv tsvector NOT NULL,
  CONSTRAINT chunks_ordinal_key UNIQUE (workspace_id, document_id, generation, ordinal),
  CONSTRAINT chunks_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT chunks_workspace_id_document_id_fkey FOREIGN KEY (workspace_id, document_id) REFERENCES documents(workspace_id, id) ON DELETE CASCADE
);

CREATE INDEX chunks_search ON public.chunks USING gin (workspace_id, base_id, tsv) WITH (gin_pending_list_limit='1024');

ALTER TABLE chunks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON chunks AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY key_bots ON chunks AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((base_id = ANY (( SELECT app.known_bases() AS known_bases)::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY key_bots_delete ON chunks AS RESTRICTIVE FOR DELETE TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY purge ON chunks AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = chunks.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON chunks AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = chunks.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON chunks AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT ON chunks TO parley_app;

GRANT DELETE, SELECT (base_id, document_id, generation, id, tsv, workspace_id) ON chunks TO parley_door;

CREATE TABLE dead_letter_queue (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  job_id uuid NOT NULL,
  kind text NOT NULL,
  payload jsonb NOT NULL,
  operation_id uuid,
  trace_id text NOT NULL,
  attempts integer NOT NULL,
  errors jsonb NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  key text NOT NULL,
  priority smallint NOT NULL,
  max_attempts integer NOT NULL,
  failures integer NOT NULL,
  target text NOT NULL DEFAULT ''::text,
  CONSTRAINT dead_letter_queue_job_key UNIQUE (workspace_id, job_id),
  CONSTRAINT dead_letter_queue_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT dead_letter_queue_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX dead_letter_queue_by_age ON public.dead_letter_queue USING brin (created_at) WITH (autosummarize='on');

CREATE INDEX dead_letter_queue_by_key ON public.dead_letter_queue USING btree (workspace_id, kind, key);

CREATE INDEX dead_letter_queue_by_kind ON public.dead_letter_queue USING btree (workspace_id, kind, id);

ALTER TABLE dead_letter_queue ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON dead_letter_queue AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON dead_letter_queue AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE false
END)
  WITH CHECK (true);

CREATE POLICY purge ON dead_letter_queue AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = dead_letter_queue.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON dead_letter_queue AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = dead_letter_queue.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON dead_letter_queue AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (payload) ON dead_letter_queue TO parley_app;

GRANT DELETE, SELECT (created_at, id, key, kind, payload, workspace_id) ON dead_letter_queue TO parley_door;

CREATE TABLE document_files (
  workspace_id uuid NOT NULL,
  file_id uuid NOT NULL,
  document_id uuid NOT NULL,
  deleted_at timestamp with time zone,
  CONSTRAINT document_files_pkey PRIMARY KEY (workspace_id, file_id, document_id),
  CONSTRAINT document_files_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX document_files_deleted ON public.document_files USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

ALTER TABLE document_files ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON document_files AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY key_bots ON document_files AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE false
END)
  WITH CHECK (true);

CREATE POLICY purge ON document_files AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = document_files.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON document_files AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = document_files.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON document_files AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (deleted_at) ON document_files TO parley_app;

GRANT DELETE, SELECT (deleted_at, file_id, workspace_id) ON document_files TO parley_door;

CREATE TABLE document_texts (
  workspace_id uuid NOT NULL,
  document_id uuid NOT NULL,
  generation integer NOT NULL,
  text text NOT NULL,
  outline bytea NOT NULL,
  page_starts integer[],
  CONSTRAINT document_texts_pkey PRIMARY KEY (workspace_id, document_id, generation),
  CONSTRAINT document_texts_workspace_id_document_id_fkey FOREIGN KEY (workspace_id, document_id) REFERENCES documents(workspace_id, id) ON DELETE CASCADE
);

ALTER TABLE document_texts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY key_bots ON document_texts AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.sees_document(document_id)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY key_bots_delete ON document_texts AS RESTRICTIVE FOR DELETE TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY purge ON document_texts AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = document_texts.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON document_texts AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = document_texts.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON document_texts AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT ON document_texts TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON document_texts TO parley_door;

CREATE TABLE document_vectors (
  workspace_id uuid NOT NULL,
  document_id uuid NOT NULL,
  generation integer NOT NULL,
  base_id uuid NOT NULL,
  model text NOT NULL,
  dimensions integer NOT NULL,
  created_at timestamp with time zone NOT NULL,
  removed_at timestamp with time zone,
  CONSTRAINT document_vectors_dimensions_check CHECK ((dimensions > 0)),
  CONSTRAINT document_vectors_pkey PRIMARY KEY (workspace_id, document_id, generation),
  CONSTRAINT document_vectors_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX document_vectors_of_base ON public.document_vectors USING btree (workspace_id, base_id, model, dimensions) WHERE (removed_at IS NULL);

ALTER TABLE document_vectors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON document_vectors AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY purge ON document_vectors AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = document_vectors.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON document_vectors AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = document_vectors.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON document_vectors AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (removed_at) ON document_vectors TO parley_app;

GRANT DELETE, SELECT (created_at, document_id, generation, removed_at, workspace_id) ON document_vectors TO parley_door;

CREATE TABLE documents (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  base_id uuid NOT NULL,
  file_id uuid,
  title text NOT NULL,
  metadata jsonb NOT NULL,
  content_type text NOT NULL,
  content_hash bytea NOT NULL,
  size bigint NOT NULL,
  status text NOT NULL,
  stage text,
  generation integer NOT NULL DEFAULT 0,
  building integer,
  build_size integer NOT NULL,
  build_overlap integer NOT NULL,
  build_reuse boolean NOT NULL DEFAULT false,
  chunks_done integer NOT NULL DEFAULT 0,
  chunks_total integer,
  chunks integer NOT NULL DEFAULT 0,
  characters integer NOT NULL DEFAULT 0,
  text_bytes bigint NOT NULL DEFAULT 0,
  pages integer,
  error_code text,
  error_message text,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  indexed_at timestamp with time zone,
  CONSTRAINT documents_content_hash_check CHECK ((octet_length(content_hash) = 32)),
  CONSTRAINT documents_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT documents_stage_check CHECK ((stage = ANY (ARRAY['extract'::text, 'chunk'::text, 'embed'::text]))),
  CONSTRAINT documents_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'extracting'::text, 'chunking'::text, 'embedding'::text, 'ready'::text, 'failed'::text, 'deleting'::text]))),
  CONSTRAINT documents_title_check CHECK (((char_length(title) >= 1) AND (char_length(title) <= 300))),
  CONSTRAINT documents_workspace_id_base_id_fkey FOREIGN KEY (workspace_id, base_id) REFERENCES knowledge_bases(workspace_id, id),
  CONSTRAINT documents_workspace_id_file_id_fkey FOREIGN KEY (workspace_id, file_id) REFERENCES files(workspace_id, id) ON DELETE CASCADE,
  CONSTRAINT documents_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX documents_by_file ON public.documents USING btree (workspace_id, file_id) WHERE (file_id IS NOT NULL);

CREATE INDEX documents_by_status ON public.documents USING btree (workspace_id, base_id, status, id) INCLUDE (chunks);

CREATE UNIQUE INDEX documents_content_key ON public.documents USING btree (workspace_id, base_id, content_hash) WHERE ((file_id IS NOT NULL) AND (status <> 'deleting'::text));

CREATE INDEX documents_of_base ON public.documents USING btree (workspace_id, base_id, id);

CREATE INDEX documents_unfinished ON public.documents USING btree (updated_at) WHERE (status <> ALL (ARRAY['ready'::text, 'failed'::text]));

ALTER TABLE documents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON documents AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY key_bots ON documents AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((base_id = ANY (( SELECT app.known_bases() AS known_bases)::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY key_bots_delete ON documents AS RESTRICTIVE FOR DELETE TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY purge ON documents AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = documents.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON documents AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = documents.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON documents AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (build_overlap, build_reuse, build_size, building, characters, chunks, chunks_done, chunks_total, error_code, error_message, file_id, generation, indexed_at, metadata, pages, stage, status, text_bytes, title, updated_at) ON documents TO parley_app;

GRANT DELETE, SELECT (base_id, building, generation, id, metadata, status, updated_at, workspace_id) ON documents TO parley_door;

CREATE TABLE embedding_cache (
  workspace_id uuid NOT NULL,
  hash bytea NOT NULL,
  embedding real[] NOT NULL,
  created_at timestamp with time zone NOT NULL,
  CONSTRAINT embedding_cache_hash_check CHECK ((octet_length(hash) = 32)),
  CONSTRAINT embedding_cache_pkey PRIMARY KEY (workspace_id, hash),
  CONSTRAINT embedding_cache_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX embedding_cache_oldest ON public.embedding_cache USING btree (workspace_id, created_at);

ALTER TABLE embedding_cache ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY key_bots ON embedding_cache AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE false
END)
  WITH CHECK (true);

CREATE POLICY purge ON embedding_cache AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = embedding_cache.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON embedding_cache AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = embedding_cache.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON embedding_cache AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT ON embedding_cache TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON embedding_cache TO parley_door;

CREATE TABLE embedding_keys (
  workspace_id uuid NOT NULL,
  sealed bytea NOT NULL,
  last_four text NOT NULL,
  model text NOT NULL,
  base_url text,
  dimensions integer,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  CONSTRAINT embedding_keys_pkey PRIMARY KEY (workspace_id),
  CONSTRAINT embedding_keys_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

ALTER TABLE embedding_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON embedding_keys AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY purge ON embedding_keys AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = embedding_keys.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON embedding_keys AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = embedding_keys.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON embedding_keys AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE ON embedding_keys TO parley_app;

GRANT DELETE, SELECT (sealed, workspace_id) ON embedding_keys TO parley_door;

CREATE TABLE end_user_bots (
  workspace_id uuid NOT NULL,
  end_user_id uuid NOT NULL,
  bot_id uuid NOT NULL,
  CONSTRAINT end_user_bots_pkey PRIMARY KEY (workspace_id, bot_id, end_user_id),
  CONSTRAINT end_user_bots_workspace_id_end_user_id_fkey FOREIGN KEY (workspace_id, end_user_id) REFERENCES end_users(workspace_id, id) ON DELETE CASCADE
);

CREATE INDEX end_user_bots_of_end_user ON public.end_user_bots USING btree (workspace_id, end_user_id);

ALTER TABLE end_user_bots ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY key_bots ON end_user_bots AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((bot_id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(bot_id)
END);

CREATE POLICY purge ON end_user_bots AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = end_user_bots.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON end_user_bots AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = end_user_bots.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON end_user_bots AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT ON end_user_bots TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON end_user_bots TO parley_door;

CREATE TABLE end_users (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  external_id text,
  name text NOT NULL DEFAULT ''::text,
  metadata jsonb NOT NULL DEFAULT '{}'::jsonb,
  created_at timestamp with time zone NOT NULL,
  last_token_at timestamp with time zone NOT NULL,
  revoked_at timestamp with time zone,
  turn_limits jsonb NOT NULL DEFAULT '{}'::jsonb,
  CONSTRAINT end_users_external_id_check CHECK (((char_length(external_id) >= 1) AND (char_length(external_id) <= 200))),
  CONSTRAINT end_users_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
  CONSTRAINT end_users_name_check CHECK ((char_length(name) <= 200)),
  CONSTRAINT end_users_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT end_users_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX end_users_anonymous ON public.end_users USING btree (last_token_at, id) WHERE (external_id IS NULL);

CREATE UNIQUE INDEX end_users_external_key ON public.end_users USING btree (workspace_id, external_id) WHERE (external_id IS NOT NULL);

ALTER TABLE end_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON end_users AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY owner ON end_users AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.role'::text, true), ''::text) = 'end_user'::text) THEN COALESCE((id = (current_setting('app.owner'::text))::uuid), false)
    ELSE true
END);

CREATE POLICY purge ON end_users AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = end_users.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON end_users AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = end_users.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON end_users AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (last_token_at, metadata, name, revoked_at, turn_limits) ON end_users TO parley_app;

GRANT DELETE, SELECT (external_id, id, last_token_at, revoked_at, workspace_id) ON end_users TO parley_door;

CREATE TABLE event_bodies (
  workspace_id uuid NOT NULL,
  event_id uuid NOT NULL,
  body text NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT event_bodies_pkey PRIMARY KEY (workspace_id, event_id),
  CONSTRAINT event_bodies_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX event_bodies_by_age ON public.event_bodies USING brin (created_at) WITH (autosummarize='on');

ALTER TABLE event_bodies ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON event_bodies AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON event_bodies AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE false
END)
  WITH CHECK (true);

CREATE POLICY purge ON event_bodies AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = event_bodies.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON event_bodies AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = event_bodies.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON event_bodies AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT ON event_bodies TO parley_app;

GRANT DELETE, SELECT (body, created_at, event_id, workspace_id), UPDATE (body) ON event_bodies TO parley_door;

CREATE TABLE files (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  content_type text NOT NULL,
  size bigint NOT NULL,
  sha256 bytea NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  owner_id uuid DEFAULT (NULLIF(current_setting('app.owner'::text, true), ''::text))::uuid,
  CONSTRAINT files_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255))),
  CONSTRAINT files_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT files_sha256_check CHECK ((octet_length(sha256) = 32)),
  CONSTRAINT files_size_check CHECK ((size >= 1)),
  CONSTRAINT files_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX files_by_owner ON public.files USING btree (workspace_id, owner_id, created_at DESC, id DESC) WHERE (owner_id IS NOT NULL);

CREATE INDEX files_newest ON public.files USING btree (workspace_id, created_at DESC, id DESC);

ALTER TABLE files ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY key_bots ON files AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE (created_by = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid)
END)
  WITH CHECK (true);

CREATE POLICY owner ON files AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((owner_id = (current_setting('app.owner'::text))::uuid), false)
END);

CREATE POLICY purge ON files AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = files.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON files AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = files.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON files AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (created_by, owner_id) ON files TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON files TO parley_door;

CREATE TABLE installation (
  singleton boolean NOT NULL DEFAULT true,
  key_print bytea NOT NULL,
  ids_from timestamp with time zone,
  CONSTRAINT installation_key_print_check CHECK ((octet_length(key_print) = 32)),
  CONSTRAINT installation_pkey PRIMARY KEY (singleton),
  CONSTRAINT installation_singleton_check CHECK (singleton)
);

ALTER TABLE installation ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON installation AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT INSERT, SELECT, UPDATE (ids_from, key_print) ON installation TO parley_door;

CREATE TABLE invitations (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  email text NOT NULL,
  role text NOT NULL,
  token_hash bytea NOT NULL,
  invited_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  accepted_at timestamp with time zone,
  accepted_by uuid,
  operation_id uuid,
  revoked_at timestamp with time zone,
  announced boolean NOT NULL DEFAULT true,
  CONSTRAINT invitations_email_check CHECK ((email = lower(btrim(email)))),
  CONSTRAINT invitations_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT invitations_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'editor'::text, 'viewer'::text]))),
  CONSTRAINT invitations_token_hash_check CHECK ((octet_length(token_hash) = 32)),
  CONSTRAINT invitations_token_key UNIQUE (token_hash),
  CONSTRAINT invitations_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX invitations_announced ON public.invitations USING btree (email) WHERE (announced AND (accepted_at IS NULL) AND (revoked_at IS NULL));

CREATE INDEX invitations_by_email ON public.invitations USING btree (email);

CREATE INDEX invitations_by_guest ON public.invitations USING btree (accepted_by) WHERE (accepted_by IS NOT NULL);

CREATE UNIQUE INDEX invitations_open ON public.invitations USING btree (workspace_id, email) WHERE ((accepted_at IS NULL) AND (revoked_at IS NULL));

ALTER TABLE invitations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON invitations AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY purge ON invitations AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = invitations.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON invitations AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = invitations.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON invitations AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE (accepted_at, accepted_by, email, operation_id, revoked_at) ON invitations TO parley_app;

GRANT DELETE, SELECT (accepted_at, accepted_by, announced, email, expires_at, id, operation_id, revoked_at, role, token_hash, workspace_id) ON invitations TO parley_door;

CREATE TABLE job_queue (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  kind text NOT NULL,
  key text NOT NULL,
  payload jsonb NOT NULL,
  operation_id uuid,
  trace_id text NOT NULL,
  priority smallint NOT NULL DEFAULT 0,
  status text NOT NULL DEFAULT 'queued'::text,
  attempt integer NOT NULL DEFAULT 0,
  max_attempts integer NOT NULL,
  run_at timestamp with time zone NOT NULL DEFAULT now(),
  lease_until timestamp with time zone,
  errors jsonb NOT NULL DEFAULT '[]'::jsonb,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  finished_at timestamp with time zone,
  failures integer NOT NULL DEFAULT 0,
  started_at timestamp with time zone,
  target text NOT NULL DEFAULT ''::text,
  CONSTRAINT job_queue_key UNIQUE (workspace_id, kind, key),
  CONSTRAINT job_queue_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT job_queue_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'running'::text, 'done'::text]))),
  CONSTRAINT job_queue_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX job_queue_by_age ON public.job_queue USING brin (created_at) WITH (autosummarize='on');

CREATE INDEX job_queue_by_kind ON public.job_queue USING btree (workspace_id, kind, id);

CREATE INDEX job_queue_next ON public.job_queue USING btree (workspace_id, kind, target, priority, run_at, id) WHERE (status = 'queued'::text);

CREATE INDEX job_queue_running ON public.job_queue USING btree (workspace_id) WHERE (status = 'running'::text);

CREATE INDEX job_queue_served ON public.job_queue USING btree (workspace_id, started_at) WHERE (started_at IS NOT NULL);

ALTER TABLE job_queue ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON job_queue AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON job_queue AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE (created_at = now())
END)
  WITH CHECK (true);

CREATE POLICY purge ON job_queue AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = job_queue.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON job_queue AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = job_queue.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON job_queue AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE ON job_queue TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id), UPDATE (attempt, errors, lease_until, started_at, status) ON job_queue TO parley_door;

CREATE TABLE job_targets (
  workspace_id uuid NOT NULL,
  kind text NOT NULL,
  target text NOT NULL,
  slow boolean NOT NULL,
  until timestamp with time zone NOT NULL,
  CONSTRAINT job_targets_pkey PRIMARY KEY (workspace_id, kind, target),
  CONSTRAINT job_targets_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX job_targets_by_end ON public.job_targets USING btree (until);

ALTER TABLE job_targets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON job_targets AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY purge ON job_targets AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = job_targets.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON job_targets AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = job_targets.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON job_targets AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (slow, until) ON job_targets TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id) ON job_targets TO parley_door;

CREATE TABLE knowledge_bases (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  description text NOT NULL,
  language text NOT NULL,
  embedding_model text,
  chunk_size integer NOT NULL,
  chunk_overlap integer NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  deleted_at timestamp with time zone,
  CONSTRAINT knowledge_bases_chunk_overlap_check CHECK ((chunk_overlap >= 0)),
  CONSTRAINT knowledge_bases_chunk_size_check CHECK ((chunk_size > 0)),
  CONSTRAINT knowledge_bases_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
  CONSTRAINT knowledge_bases_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT knowledge_bases_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX knowledge_bases_deleted ON public.knowledge_bases USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

ALTER TABLE knowledge_bases ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON knowledge_bases AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY key_bots ON knowledge_bases AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((id = ANY (( SELECT app.known_bases() AS known_bases)::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY key_bots_delete ON knowledge_bases AS RESTRICTIVE FOR DELETE TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY purge ON knowledge_bases AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = knowledge_bases.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON knowledge_bases AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = knowledge_bases.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON knowledge_bases AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (chunk_overlap, chunk_size, deleted_at, description, embedding_model, name, updated_at) ON knowledge_bases TO parley_app;

GRANT DELETE, SELECT (deleted_at, id, workspace_id) ON knowledge_bases TO parley_door;

CREATE TABLE lexicon (
  workspace_id uuid NOT NULL,
  language text NOT NULL,
  word text NOT NULL,
  chunks integer NOT NULL,
  CONSTRAINT lexicon_pkey PRIMARY KEY (workspace_id, language, word),
  CONSTRAINT lexicon_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX lexicon_similar ON public.lexicon USING gin (workspace_id, language, word ext.gin_trgm_ops) WITH (gin_pending_list_limit='1024');

ALTER TABLE lexicon ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON lexicon AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY key_bots ON lexicon AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE false
END)
  WITH CHECK (true);

CREATE POLICY purge ON lexicon AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = lexicon.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON lexicon AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = lexicon.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON lexicon AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (chunks) ON lexicon TO parley_app;

GRANT DELETE, SELECT (chunks, language, word, workspace_id) ON lexicon TO parley_door;

CREATE TABLE llm_turns (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  thread_id uuid NOT NULL,
  actor_id uuid NOT NULL,
  operation_id uuid NOT NULL,
  bot_id uuid,
  bot_version integer,
  provider text NOT NULL,
  model text NOT NULL,
  status text NOT NULL,
  user_seq bigint NOT NULL,
  attempt integer NOT NULL DEFAULT 1,
  lease_until timestamp with time zone NOT NULL,
  input_tokens integer,
  output_tokens integer,
  latency_ms integer,
  error text,
  created_at timestamp with time zone NOT NULL,
  finished_at timestamp with time zone,
  cost_micros bigint,
  cached_tokens integer,
  first_token_ms integer,
  finish_reason text,
  error_code text,
  error_message text,
  cancel_attempt integer,
  cancel_operation uuid,
  reserved_micros bigint,
  usage_estimated boolean NOT NULL DEFAULT false,
  error_details jsonb,
  process_id uuid,
  request jsonb,
  read_until timestamp with time zone,
  waiting boolean NOT NULL DEFAULT false,
  waits smallint NOT NULL DEFAULT 0,
  tool_steps smallint NOT NULL DEFAULT 0,
  tools jsonb,
  spent jsonb,
  path int8multirange,
  variables jsonb,
  trial boolean NOT NULL DEFAULT false,
  CONSTRAINT llm_turns_attempt_check CHECK ((attempt >= 1)),
  CONSTRAINT llm_turns_check CHECK (((bot_id IS NULL) = (bot_version IS NULL))),
  CONSTRAINT llm_turns_check1 CHECK (((status = 'running'::text) = (finished_at IS NULL))),
  CONSTRAINT llm_turns_cost_micros_check CHECK ((cost_micros >= 0)),
  CONSTRAINT llm_turns_operation_key UNIQUE (operation_id, actor_id, workspace_id),
  CONSTRAINT llm_turns_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT llm_turns_status_check CHECK ((status = ANY (ARRAY['running'::text, 'completed'::text, 'failed'::text, 'cancelled'::text]))),
  CONSTRAINT llm_turns_workspace_id_bot_id_bot_version_fkey FOREIGN KEY (workspace_id, bot_id, bot_version) REFERENCES bot_versions(workspace_id, bot_id, version),
  CONSTRAINT llm_turns_workspace_id_thread_id_fkey FOREIGN KEY (workspace_id, thread_id) REFERENCES threads(workspace_id, id)
);

CREATE INDEX llm_turns_by_bot ON public.llm_turns USING btree (bot_id, workspace_id) WHERE (bot_id IS NOT NULL);

CREATE INDEX llm_turns_by_thread ON public.llm_turns USING btree (thread_id, workspace_id);

CREATE UNIQUE INDEX llm_turns_one_running ON public.llm_turns USING btree (workspace_id, thread_id) WHERE (finished_at IS NULL);

CREATE INDEX llm_turns_running ON public.llm_turns USING btree (lease_until) WHERE (finished_at IS NULL);

ALTER TABLE llm_turns ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON llm_turns AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY door_lease ON llm_turns AS PERMISSIVE FOR UPDATE TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY erase ON llm_turns AS PERMISSIVE FOR ALL TO parley_door
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY key_bots ON llm_turns AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((bot_id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(bot_id)
END);

CREATE POLICY owner ON llm_turns AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE(app.owns_thread(thread_id), false)
END);

CREATE POLICY purge ON llm_turns AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = llm_turns.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON llm_turns AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = llm_turns.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON llm_turns AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE TRIGGER llm_turns_close_tool_calls AFTER UPDATE OF finished_at ON public.llm_turns FOR EACH ROW WHEN (((new.tool_steps > 0) AND (new.finished_at IS NOT NULL) AND (old.finished_at IS NULL))) EXECUTE FUNCTION app.close_tool_calls();

GRANT INSERT, SELECT, UPDATE ON llm_turns TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id), UPDATE (error, error_code, error_details, error_message, lease_until, request, status, variables) ON llm_turns TO parley_door;

CREATE TABLE login_attempts (
  address_hash bytea NOT NULL,
  failures integer NOT NULL,
  blocked_until timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT login_attempts_address_hash_check CHECK ((octet_length(address_hash) = 32)),
  CONSTRAINT login_attempts_pkey PRIMARY KEY (address_hash)
);

ALTER TABLE login_attempts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON login_attempts AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT DELETE, INSERT, SELECT, UPDATE ON login_attempts TO parley_door;

CREATE TABLE login_networks (
  user_id uuid NOT NULL,
  network bytea NOT NULL,
  used_at timestamp with time zone NOT NULL,
  CONSTRAINT login_networks_network_check CHECK ((octet_length(network) = 32)),
  CONSTRAINT login_networks_pkey PRIMARY KEY (user_id, network),
  CONSTRAINT login_networks_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE
);

CREATE INDEX login_networks_by_use ON public.login_networks USING btree (used_at);

ALTER TABLE login_networks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON login_networks AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT DELETE, INSERT, SELECT, UPDATE ON login_networks TO parley_door;

CREATE TABLE mail_counts (
  scope bytea NOT NULL,
  day date NOT NULL,
  sent integer NOT NULL,
  CONSTRAINT mail_counts_pkey PRIMARY KEY (scope, day),
  CONSTRAINT mail_counts_scope_check CHECK ((octet_length(scope) = 32))
);

ALTER TABLE mail_counts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON mail_counts AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT DELETE, INSERT, SELECT, UPDATE ON mail_counts TO parley_door;

CREATE TABLE message_attachments (
  workspace_id uuid NOT NULL,
  turn_id uuid NOT NULL,
  place smallint NOT NULL,
  file_id uuid NOT NULL,
  stored_id uuid,
  name text NOT NULL,
  media_type text NOT NULL,
  size bigint NOT NULL,
  text text,
  cut boolean NOT NULL DEFAULT false,
  CONSTRAINT message_attachments_file_fkey FOREIGN KEY (workspace_id, stored_id) REFERENCES files(workspace_id, id) ON DELETE SET NULL (stored_id),
  CONSTRAINT message_attachments_pkey PRIMARY KEY (workspace_id, turn_id, place),
  CONSTRAINT message_attachments_place_check CHECK ((place >= 0)),
  CONSTRAINT message_attachments_workspace_id_turn_id_fkey FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns(workspace_id, id)
);

CREATE INDEX message_attachments_by_file ON public.message_attachments USING btree (workspace_id, stored_id) WHERE (stored_id IS NOT NULL);

ALTER TABLE message_attachments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY erase ON message_attachments AS PERMISSIVE FOR ALL TO parley_door
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY key_bots ON message_attachments AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.sees_turn(turn_id)
END);

CREATE POLICY owner ON message_attachments AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE(app.owns_turn(turn_id), false)
END);

CREATE POLICY purge ON message_attachments AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = message_attachments.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON message_attachments AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = message_attachments.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON message_attachments AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE TRIGGER message_attachments_forget_text BEFORE UPDATE OF stored_id ON public.message_attachments FOR EACH ROW WHEN ((new.stored_id IS NULL)) EXECUTE FUNCTION app.forget_attached_text();

GRANT INSERT, SELECT, UPDATE (cut, text) ON message_attachments TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id) ON message_attachments TO parley_door;

CREATE TABLE message_feedback (
  workspace_id uuid NOT NULL,
  thread_id uuid NOT NULL,
  user_id uuid NOT NULL,
  seq bigint NOT NULL,
  rating text NOT NULL,
  comment text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  CONSTRAINT message_feedback_comment_check CHECK ((char_length(comment) <= 2000)),
  CONSTRAINT message_feedback_message_fkey FOREIGN KEY (workspace_id, thread_id, seq) REFERENCES messages(workspace_id, thread_id, seq),
  CONSTRAINT message_feedback_pkey PRIMARY KEY (workspace_id, thread_id, user_id, seq),
  CONSTRAINT message_feedback_rating_check CHECK ((rating = ANY (ARRAY['good'::text, 'bad'::text])))
);

CREATE INDEX message_feedback_by_rating ON public.message_feedback USING btree (workspace_id, rating, thread_id);

ALTER TABLE message_feedback ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY erase ON message_feedback AS PERMISSIVE FOR ALL TO parley_door
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY key_bots ON message_feedback AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.sees_thread(thread_id)
END);

CREATE POLICY owner ON message_feedback AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE(app.owns_thread(thread_id), false)
END);

CREATE POLICY purge ON message_feedback AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = message_feedback.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON message_feedback AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = message_feedback.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON message_feedback AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE (comment, rating, updated_at, user_id) ON message_feedback TO parley_app;

GRANT DELETE, SELECT (seq, thread_id, workspace_id) ON message_feedback TO parley_door;

CREATE TABLE messages (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  thread_id uuid NOT NULL,
  turn_id uuid,
  seq bigint NOT NULL,
  role text NOT NULL,
  content text NOT NULL,
  operation_id uuid,
  created_at timestamp with time zone NOT NULL,
  status text NOT NULL DEFAULT 'completed'::text,
  citations jsonb,
  erased_at timestamp with time zone,
  structured boolean NOT NULL DEFAULT false,
  attached boolean NOT NULL DEFAULT false,
  CONSTRAINT messages_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT messages_role_check CHECK ((role = ANY (ARRAY['user'::text, 'assistant'::text, 'system'::text]))),
  CONSTRAINT messages_seq_check CHECK ((seq >= 1)),
  CONSTRAINT messages_seq_key UNIQUE (workspace_id, thread_id, seq),
  CONSTRAINT messages_status_check CHECK ((status = ANY (ARRAY['completed'::text, 'cancelled'::text]))),
  CONSTRAINT messages_turn_role_key UNIQUE (workspace_id, turn_id, role),
  CONSTRAINT messages_workspace_id_thread_id_fkey FOREIGN KEY (workspace_id, thread_id) REFERENCES threads(workspace_id, id),
  CONSTRAINT messages_workspace_id_turn_id_fkey FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns(workspace_id, id)
);

ALTER TABLE messages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY erase ON messages AS PERMISSIVE FOR ALL TO parley_door
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY key_bots ON messages AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.sees_thread(thread_id)
END);

CREATE POLICY owner ON messages AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE(app.owns_thread(thread_id), false)
END);

CREATE POLICY purge ON messages AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = messages.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON messages AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = messages.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON messages AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE (citations) ON messages TO parley_app;

GRANT DELETE, SELECT (erased_at, id, role, seq, thread_id, turn_id, workspace_id), UPDATE (citations, content, erased_at) ON messages TO parley_door;

CREATE TABLE model_keys (
  workspace_id uuid NOT NULL,
  provider text NOT NULL,
  sealed bytea NOT NULL,
  last_four text NOT NULL,
  base_url text,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  CONSTRAINT model_keys_pkey PRIMARY KEY (workspace_id, provider),
  CONSTRAINT model_keys_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

ALTER TABLE model_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON model_keys AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY purge ON model_keys AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = model_keys.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON model_keys AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = model_keys.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON model_keys AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE ON model_keys TO parley_app;

GRANT DELETE, SELECT (sealed, workspace_id) ON model_keys TO parley_door;

CREATE TABLE model_settings (
  workspace_id uuid NOT NULL,
  default_model text,
  fallbacks text[] NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  CONSTRAINT model_settings_pkey PRIMARY KEY (workspace_id),
  CONSTRAINT model_settings_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

ALTER TABLE model_settings ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY purge ON model_settings AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = model_settings.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON model_settings AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = model_settings.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON model_settings AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE ON model_settings TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON model_settings TO parley_door;

CREATE TABLE operations (
  workspace_id uuid NOT NULL,
  actor_id uuid NOT NULL,
  id uuid NOT NULL,
  fingerprint bytea NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  finished_at timestamp with time zone,
  status smallint,
  content_type text,
  location text,
  etag text,
  body bytea,
  sealed boolean NOT NULL DEFAULT false,
  fingerprint_version smallint NOT NULL DEFAULT 1,
  CONSTRAINT operations_check CHECK (((finished_at IS NULL) = (status IS NULL))),
  CONSTRAINT operations_fingerprint_check CHECK ((octet_length(fingerprint) = 32)),
  CONSTRAINT operations_pkey PRIMARY KEY (workspace_id, actor_id, id)
);

CREATE INDEX operations_by_age ON public.operations USING btree (created_at);

CREATE INDEX operations_sealed ON public.operations USING btree (created_at) WHERE sealed;

ALTER TABLE operations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON operations AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON operations AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE (actor_id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid)
END);

CREATE POLICY owner ON operations AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((actor_id = (current_setting('app.owner'::text))::uuid), false)
END);

CREATE POLICY purge ON operations AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = operations.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON operations AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = operations.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON operations AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE ON operations TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id), UPDATE (body, content_type, etag, finished_at, location, sealed, status) ON operations TO parley_door;

CREATE TABLE periodic_tasks (
  name text NOT NULL,
  due_at timestamp with time zone NOT NULL,
  holder uuid,
  lease_until timestamp with time zone,
  CONSTRAINT periodic_tasks_check CHECK (((holder IS NULL) = (lease_until IS NULL))),
  CONSTRAINT periodic_tasks_pkey PRIMARY KEY (name)
);

ALTER TABLE periodic_tasks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON periodic_tasks AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT INSERT, SELECT, UPDATE ON periodic_tasks TO parley_door;

CREATE TABLE retired_keys (
  key_id bytea NOT NULL,
  purpose text NOT NULL,
  sealed bytea NOT NULL,
  retired_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT retired_keys_key_id_check CHECK ((octet_length(key_id) = 8)),
  CONSTRAINT retired_keys_pkey PRIMARY KEY (key_id, purpose)
);

ALTER TABLE retired_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON retired_keys AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT INSERT, SELECT, UPDATE (sealed) ON retired_keys TO parley_door;

CREATE TABLE retrievals (
  workspace_id uuid NOT NULL,
  turn_id uuid NOT NULL,
  number smallint NOT NULL,
  query text NOT NULL,
  mode text NOT NULL,
  degraded boolean NOT NULL,
  candidates jsonb NOT NULL,
  latency_ms integer NOT NULL,
  created_at timestamp with time zone NOT NULL,
  CONSTRAINT retrievals_number_check CHECK ((number >= 1)),
  CONSTRAINT retrievals_pkey PRIMARY KEY (workspace_id, turn_id, number),
  CONSTRAINT retrievals_workspace_id_turn_id_fkey FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns(workspace_id, id)
);

ALTER TABLE retrievals ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY erase ON retrievals AS PERMISSIVE FOR ALL TO parley_door
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY key_bots ON retrievals AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.sees_turn(turn_id)
END);

CREATE POLICY owner ON retrievals AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE(app.owns_turn(turn_id), false)
END);

CREATE POLICY purge ON retrievals AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = retrievals.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON retrievals AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = retrievals.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON retrievals AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (candidates) ON retrievals TO parley_app;

GRANT DELETE, SELECT (turn_id, workspace_id) ON retrievals TO parley_door;

CREATE TABLE retrieved_documents (
  workspace_id uuid NOT NULL,
  document_id uuid NOT NULL,
  turn_id uuid NOT NULL,
  CONSTRAINT retrieved_documents_pkey PRIMARY KEY (workspace_id, document_id, turn_id),
  CONSTRAINT retrieved_documents_workspace_id_turn_id_fkey FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns(workspace_id, id)
);

CREATE INDEX retrieved_documents_of_turn ON public.retrieved_documents USING btree (workspace_id, turn_id);

ALTER TABLE retrieved_documents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY erase ON retrieved_documents AS PERMISSIVE FOR ALL TO parley_door
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY key_bots ON retrieved_documents AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.sees_turn(turn_id)
END);

CREATE POLICY owner ON retrieved_documents AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE(app.owns_turn(turn_id), false)
END);

CREATE POLICY purge ON retrieved_documents AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = retrieved_documents.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON retrieved_documents AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = retrieved_documents.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON retrieved_documents AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT ON retrieved_documents TO parley_app;

GRANT DELETE, SELECT (turn_id, workspace_id) ON retrieved_documents TO parley_door;

CREATE TABLE sessions (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  user_id uuid NOT NULL,
  generation integer NOT NULL,
  rotated_at timestamp with time zone NOT NULL,
  retirements timestamp with time zone[] NOT NULL DEFAULT '{}'::timestamp with time zone[],
  kid text NOT NULL,
  idle_expires_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  revoked_at timestamp with time zone,
  created_at timestamp with time zone NOT NULL,
  ip inet,
  user_agent text NOT NULL,
  workspace_token_generation integer NOT NULL DEFAULT 0,
  authenticated_at timestamp with time zone,
  amr text[] NOT NULL DEFAULT '{pwd}'::text[],
  CONSTRAINT sessions_generation_check CHECK ((generation >= 1)),
  CONSTRAINT sessions_id_key UNIQUE (id),
  CONSTRAINT sessions_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT sessions_workspace_id_user_id_fkey FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members(workspace_id, user_id) ON DELETE CASCADE
);

CREATE INDEX sessions_by_age ON public.sessions USING brin (created_at) WITH (autosummarize='on');

CREATE INDEX sessions_by_user ON public.sessions USING btree (workspace_id, user_id, created_at);

CREATE INDEX sessions_live ON public.sessions USING btree (workspace_id, user_id, created_at DESC, id DESC) WHERE (revoked_at IS NULL);

CREATE INDEX sessions_of_user ON public.sessions USING btree (user_id) WHERE (revoked_at IS NULL);

ALTER TABLE sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON sessions AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY door_end ON sessions AS PERMISSIVE FOR UPDATE TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY door_expire ON sessions AS PERMISSIVE FOR DELETE TO parley_door
  USING ((app.session_end(revoked_at, idle_expires_at, expires_at) < (now() - '30 days'::interval)));

CREATE POLICY purge ON sessions AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = sessions.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON sessions AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = sessions.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON sessions AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE ON sessions TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id), UPDATE (revoked_at) ON sessions TO parley_door;

CREATE TABLE sign_ins (
  state_hash bytea NOT NULL,
  code_hash bytea,
  browser_hash bytea,
  challenge text,
  claims jsonb,
  code_ends_at timestamp with time zone,
  expires_at timestamp with time zone NOT NULL,
  CONSTRAINT sign_ins_browser_hash_check CHECK ((octet_length(browser_hash) = 32)),
  CONSTRAINT sign_ins_code_hash_check CHECK ((octet_length(code_hash) = 32)),
  CONSTRAINT sign_ins_pkey PRIMARY KEY (state_hash),
  CONSTRAINT sign_ins_state_hash_check CHECK ((octet_length(state_hash) = 32))
);

CREATE UNIQUE INDEX sign_ins_by_code ON public.sign_ins USING btree (code_hash) WHERE (code_hash IS NOT NULL);

CREATE INDEX sign_ins_by_end ON public.sign_ins USING btree (expires_at);

ALTER TABLE sign_ins ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON sign_ins AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT DELETE, INSERT, SELECT, UPDATE ON sign_ins TO parley_door;

CREATE TABLE threads (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  bot_id uuid,
  status text NOT NULL,
  last_seq bigint NOT NULL DEFAULT 0,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  endpoint_id uuid,
  conversation_id text,
  title text NOT NULL DEFAULT ''::text,
  metadata jsonb NOT NULL DEFAULT '{}'::jsonb,
  deleted_at timestamp with time zone,
  expires_at timestamp with time zone,
  owner_id uuid DEFAULT (NULLIF(current_setting('app.owner'::text, true), ''::text))::uuid,
  end_user_id uuid DEFAULT 
CASE current_setting('app.role'::text, true)
    WHEN 'end_user'::text THEN (NULLIF(current_setting('app.owner'::text, true), ''::text))::uuid
    ELSE NULL::uuid
END,
  path int8multirange,
  variables jsonb NOT NULL DEFAULT '{}'::jsonb,
  trial boolean NOT NULL DEFAULT false,
  CONSTRAINT threads_bot_fkey FOREIGN KEY (workspace_id, bot_id) REFERENCES bots(workspace_id, id),
  CONSTRAINT threads_channel_check CHECK (((endpoint_id IS NULL) = (conversation_id IS NULL))),
  CONSTRAINT threads_endpoint_fkey FOREIGN KEY (workspace_id, endpoint_id) REFERENCES webhook_endpoints(workspace_id, id),
  CONSTRAINT threads_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
  CONSTRAINT threads_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT threads_status_check CHECK ((status = ANY (ARRAY['active'::text, 'archived'::text]))),
  CONSTRAINT threads_title_check CHECK ((char_length(title) <= 200)),
  CONSTRAINT threads_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX threads_by_owner ON public.threads USING btree (workspace_id, owner_id, created_at DESC, id DESC) WHERE (owner_id IS NOT NULL);

CREATE INDEX threads_by_status ON public.threads USING btree (workspace_id, status, created_at DESC, id DESC);

CREATE UNIQUE INDEX threads_channel ON public.threads USING btree (endpoint_id, conversation_id, workspace_id) WHERE (endpoint_id IS NOT NULL);

CREATE INDEX threads_deleted ON public.threads USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE INDEX threads_newest ON public.threads USING btree (workspace_id, created_at DESC, id DESC);

CREATE INDEX threads_of_bot ON public.threads USING btree (bot_id, workspace_id, created_at DESC, id DESC) WHERE (bot_id IS NOT NULL);

CREATE INDEX threads_of_endpoint ON public.threads USING btree (workspace_id, endpoint_id, created_at DESC, id DESC) WHERE (endpoint_id IS NOT NULL);

CREATE INDEX threads_of_trials ON public.threads USING btree (workspace_id, created_at DESC, id DESC) WHERE trial;

ALTER TABLE threads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON threads AS PERMISSIVE FOR SELECT TO parley_door
  USING ((deleted_at IS NOT NULL));

CREATE POLICY erase ON threads AS PERMISSIVE FOR ALL TO parley_door
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY key_bots ON threads AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((bot_id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(bot_id)
END);

CREATE POLICY owner ON threads AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((owner_id = (current_setting('app.owner'::text))::uuid), false)
END);

CREATE POLICY purge ON threads AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = threads.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON threads AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = threads.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON threads AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE TRIGGER hold_end_user BEFORE INSERT ON public.threads FOR EACH ROW WHEN ((new.end_user_id IS NOT NULL)) EXECUTE FUNCTION app.hold_end_user();

GRANT INSERT, SELECT, UPDATE ON threads TO parley_app;

GRANT DELETE, SELECT (deleted_at, id, workspace_id), UPDATE (deleted_at) ON threads TO parley_door;

CREATE TABLE tool_calls (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  turn_id uuid NOT NULL,
  thread_id uuid NOT NULL,
  step smallint NOT NULL,
  place smallint NOT NULL,
  said text NOT NULL,
  model_id text NOT NULL,
  name text NOT NULL,
  tool_id uuid,
  tool_version integer,
  kind text NOT NULL,
  effect text NOT NULL,
  repeatable boolean NOT NULL,
  arguments jsonb NOT NULL,
  status text NOT NULL,
  result text,
  attempt integer NOT NULL DEFAULT 0,
  decided_by uuid,
  decided_at timestamp with time zone,
  reason text,
  expires_at timestamp with time zone,
  created_at timestamp with time zone NOT NULL,
  started_at timestamp with time zone,
  finished_at timestamp with time zone,
  CONSTRAINT tool_calls_check CHECK (((status = ANY (ARRAY['waiting'::text, 'approved'::text, 'running'::text])) = (finished_at IS NULL))),
  CONSTRAINT tool_calls_effect_check CHECK ((effect = ANY (ARRAY['read'::text, 'write'::text]))),
  CONSTRAINT tool_calls_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT tool_calls_place_check CHECK ((place >= 0)),
  CONSTRAINT tool_calls_status_check CHECK ((status = ANY (ARRAY['waiting'::text, 'approved'::text, 'denied'::text, 'expired'::text, 'running'::text, 'succeeded'::text, 'failed'::text, 'unknown'::text, 'cancelled'::text]))),
  CONSTRAINT tool_calls_step_check CHECK ((step >= 1)),
  CONSTRAINT tool_calls_workspace_id_turn_id_fkey FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns(workspace_id, id),
  CONSTRAINT tool_calls_workspace_id_turn_id_step_place_key UNIQUE (workspace_id, turn_id, step, place)
);

CREATE INDEX tool_calls_by_status ON public.tool_calls USING btree (workspace_id, status, id);

ALTER TABLE tool_calls ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY erase ON tool_calls AS PERMISSIVE FOR ALL TO parley_door
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY key_bots ON tool_calls AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.sees_turn(turn_id)
END);

CREATE POLICY owner ON tool_calls AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE(app.owns_turn(turn_id), false)
END);

CREATE POLICY purge ON tool_calls AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = tool_calls.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON tool_calls AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = tool_calls.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON tool_calls AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE (arguments, attempt, decided_at, decided_by, finished_at, reason, result, started_at, status) ON tool_calls TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id), UPDATE (finished_at, status) ON tool_calls TO parley_door;

CREATE TABLE tool_credentials (
  workspace_id uuid NOT NULL,
  tool_id uuid NOT NULL,
  type text NOT NULL,
  origin text NOT NULL,
  sealed bytea NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  CONSTRAINT tool_credentials_pkey PRIMARY KEY (workspace_id, tool_id),
  CONSTRAINT tool_credentials_type_check CHECK ((type = ANY (ARRAY['header'::text, 'bearer'::text, 'oauth_client_credentials'::text]))),
  CONSTRAINT tool_credentials_workspace_id_tool_id_fkey FOREIGN KEY (workspace_id, tool_id) REFERENCES tools(workspace_id, id) ON DELETE CASCADE
);

ALTER TABLE tool_credentials ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON tool_credentials AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY key_bots ON tool_credentials AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((tool_id = ANY (( SELECT app.known_tools() AS known_tools)::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY key_bots_delete ON tool_credentials AS RESTRICTIVE FOR DELETE TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY purge ON tool_credentials AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = tool_credentials.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON tool_credentials AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = tool_credentials.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON tool_credentials AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (created_at, created_by, origin, sealed, type) ON tool_credentials TO parley_app;

GRANT DELETE, SELECT (sealed, workspace_id) ON tool_credentials TO parley_door;

CREATE TABLE tool_reviews (
  workspace_id uuid NOT NULL,
  tool_id uuid NOT NULL,
  status text NOT NULL,
  hash text NOT NULL,
  description text NOT NULL,
  schema text,
  effect text NOT NULL,
  problem text NOT NULL,
  found_at timestamp with time zone NOT NULL,
  CONSTRAINT tool_reviews_effect_check CHECK ((effect = ANY (ARRAY['read'::text, 'write'::text]))),
  CONSTRAINT tool_reviews_pkey PRIMARY KEY (workspace_id, tool_id),
  CONSTRAINT tool_reviews_status_check CHECK ((status = ANY (ARRAY['waiting'::text, 'rejected'::text]))),
  CONSTRAINT tool_reviews_workspace_id_tool_id_fkey FOREIGN KEY (workspace_id, tool_id) REFERENCES tools(workspace_id, id) ON DELETE CASCADE
);

ALTER TABLE tool_reviews ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY key_bots ON tool_reviews AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((tool_id = ANY (( SELECT app.known_tools() AS known_tools)::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY key_bots_delete ON tool_reviews AS RESTRICTIVE FOR DELETE TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY purge ON tool_reviews AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = tool_reviews.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON tool_reviews AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = tool_reviews.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON tool_reviews AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (description, effect, found_at, hash, problem, schema, status) ON tool_reviews TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON tool_reviews TO parley_door;

CREATE TABLE tool_versions (
  workspace_id uuid NOT NULL,
  tool_id uuid NOT NULL,
  version integer NOT NULL,
  description text NOT NULL,
  schema text NOT NULL,
  effect text NOT NULL,
  timeout_ms integer NOT NULL,
  max_output_bytes integer NOT NULL,
  url text NOT NULL,
  method text NOT NULL,
  idempotency_header text NOT NULL,
  note text NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  remote_name text NOT NULL DEFAULT ''::text,
  definition_hash text NOT NULL DEFAULT ''::text,
  redact text[] NOT NULL DEFAULT '{}'::text[],
  CONSTRAINT tool_versions_effect_check CHECK ((effect = ANY (ARRAY['read'::text, 'write'::text]))),
  CONSTRAINT tool_versions_max_output_bytes_check CHECK ((max_output_bytes > 0)),
  CONSTRAINT tool_versions_pkey PRIMARY KEY (workspace_id, tool_id, version),
  CONSTRAINT tool_versions_timeout_ms_check CHECK ((timeout_ms > 0)),
  CONSTRAINT tool_versions_version_check CHECK ((version > 0)),
  CONSTRAINT tool_versions_workspace_id_tool_id_fkey FOREIGN KEY (workspace_id, tool_id) REFERENCES tools(workspace_id, id) ON DELETE CASCADE
);

ALTER TABLE tool_versions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY key_bots ON tool_versions AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((tool_id = ANY (( SELECT app.known_tools() AS known_tools)::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY key_bots_delete ON tool_versions AS RESTRICTIVE FOR DELETE TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY purge ON tool_versions AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = tool_versions.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON tool_versions AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = tool_versions.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON tool_versions AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT ON tool_versions TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON tool_versions TO parley_door;

CREATE TABLE tools (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  current_version integer NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  CONSTRAINT tools_current_version_check CHECK ((current_version > 0)),
  CONSTRAINT tools_kind_check CHECK ((kind = ANY (ARRAY['http'::text, 'mcp'::text, 'client'::text]))),
  CONSTRAINT tools_name_check CHECK ((name ~ '^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$'::text)),
  CONSTRAINT tools_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT tools_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE UNIQUE INDEX tools_name_key ON public.tools USING btree (workspace_id, name);

ALTER TABLE tools ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY key_bots ON tools AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((id = ANY (( SELECT app.known_tools() AS known_tools)::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY key_bots_delete ON tools AS RESTRICTIVE FOR DELETE TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_key()
END);

CREATE POLICY purge ON tools AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = tools.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON tools AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = tools.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON tools AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (current_version, updated_at) ON tools TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON tools TO parley_door;

CREATE TABLE turn_events (
  workspace_id uuid NOT NULL,
  turn_id uuid NOT NULL,
  attempt integer NOT NULL,
  first integer NOT NULL,
  pieces text[] NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT turn_events_first_check CHECK ((first >= 0)),
  CONSTRAINT turn_events_pkey PRIMARY KEY (workspace_id, turn_id, attempt, first),
  CONSTRAINT turn_events_workspace_id_turn_id_fkey FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns(workspace_id, id)
);

CREATE INDEX turn_events_by_age ON public.turn_events USING brin (created_at) WITH (autosummarize='on');

ALTER TABLE turn_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON turn_events AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON turn_events AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.sees_turn(turn_id)
END);

CREATE POLICY owner ON turn_events AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.owner'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE(app.owns_turn(turn_id), false)
END);

CREATE POLICY purge ON turn_events AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = turn_events.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON turn_events AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = turn_events.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON turn_events AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (pieces) ON turn_events TO parley_app;

GRANT DELETE, SELECT (attempt, created_at, first, turn_id, workspace_id) ON turn_events TO parley_door;

CREATE TABLE turn_processes (
  id uuid NOT NULL,
  lease_until timestamp with time zone NOT NULL,
  CONSTRAINT turn_processes_pkey PRIMARY KEY (id)
);

ALTER TABLE turn_processes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON turn_processes AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT DELETE, INSERT, SELECT, UPDATE ON turn_processes TO parley_door;

CREATE TABLE upkeep (
  singleton boolean NOT NULL DEFAULT true,
  answers_emptied_to timestamp with time zone NOT NULL DEFAULT '-infinity'::timestamp with time zone,
  CONSTRAINT upkeep_pkey PRIMARY KEY (singleton),
  CONSTRAINT upkeep_singleton_check CHECK (singleton)
);

ALTER TABLE upkeep ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON upkeep AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT SELECT, UPDATE ON upkeep TO parley_door;

CREATE TABLE usage_counters (
  workspace_id uuid NOT NULL,
  month date NOT NULL,
  slot smallint NOT NULL,
  turns bigint NOT NULL,
  tokens bigint NOT NULL,
  messages bigint NOT NULL,
  webhook_events bigint NOT NULL,
  storage_bytes bigint NOT NULL,
  cost_micros bigint NOT NULL DEFAULT 0,
  CONSTRAINT usage_counters_pkey PRIMARY KEY (workspace_id, month, slot),
  CONSTRAINT usage_counters_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

ALTER TABLE usage_counters ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY old ON usage_counters AS PERMISSIVE FOR DELETE TO parley_door
  USING (((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid) AND (month > '0001-01-01'::date) AND (month < date_trunc('month'::text, (now() AT TIME ZONE 'UTC'::text)))));

CREATE POLICY old_look ON usage_counters AS PERMISSIVE FOR SELECT TO parley_door
  USING (((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid) AND (month > '0001-01-01'::date) AND (month < date_trunc('month'::text, (now() AT TIME ZONE 'UTC'::text)))));

CREATE POLICY purge ON usage_counters AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = usage_counters.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON usage_counters AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = usage_counters.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON usage_counters AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE ON usage_counters TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id) ON usage_counters TO parley_door;

CREATE TABLE usage_warnings (
  workspace_id uuid NOT NULL,
  month date NOT NULL,
  metric text NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT usage_warnings_pkey PRIMARY KEY (workspace_id, month, metric),
  CONSTRAINT usage_warnings_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

ALTER TABLE usage_warnings ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY old ON usage_warnings AS PERMISSIVE FOR DELETE TO parley_door
  USING (((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid) AND (month < date_trunc('month'::text, (now() AT TIME ZONE 'UTC'::text)))));

CREATE POLICY old_look ON usage_warnings AS PERMISSIVE FOR SELECT TO parley_door
  USING (((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid) AND (month < date_trunc('month'::text, (now() AT TIME ZONE 'UTC'::text)))));

CREATE POLICY purge ON usage_warnings AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = usage_warnings.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON usage_warnings AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = usage_warnings.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON usage_warnings AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT ON usage_warnings TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id) ON usage_warnings TO parley_door;

CREATE TABLE users (
  id uuid NOT NULL,
  email text NOT NULL,
  password_hash text NOT NULL,
  operation_id uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  disabled_at timestamp with time zone,
  verified_at timestamp with time zone,
  shares_address boolean NOT NULL DEFAULT false,
  verified_by_link boolean NOT NULL DEFAULT false,
  CONSTRAINT users_email_check CHECK ((email = lower(btrim(email)))),
  CONSTRAINT users_pkey PRIMARY KEY (id)
);

CREATE UNIQUE INDEX users_email_key ON public.users USING btree (email) WHERE (NOT shares_address);

CREATE UNIQUE INDEX users_email_verified ON public.users USING btree (email) WHERE (verified_at IS NOT NULL);

CREATE UNIQUE INDEX users_registration ON public.users USING btree (email, operation_id);

CREATE INDEX users_unproved ON public.users USING btree (created_at) WHERE shares_address;

ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON users AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY door_take ON users AS PERMISSIVE FOR UPDATE TO parley_door
  USING ((verified_by_link IS TRUE))
  WITH CHECK ((verified_at IS NULL));

CREATE POLICY door_yield ON users AS PERMISSIVE FOR UPDATE TO parley_door
  USING ((verified_at IS NULL))
  WITH CHECK ((verified_at IS NULL));

CREATE POLICY purge ON users AS PERMISSIVE FOR DELETE TO parley_door
  USING ((NOT (EXISTS ( SELECT
   FROM workspace_members m
  WHERE (m.user_id = users.id)))));

CREATE POLICY self ON users AS PERMISSIVE FOR ALL TO parley_app
  USING ((id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid))
  WITH CHECK ((id = (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE ON users TO parley_app;

GRANT DELETE, SELECT, UPDATE (shares_address, verified_at, verified_by_link) ON users TO parley_door;

CREATE TABLE vectors (
  workspace_id uuid NOT NULL,
  collection text NOT NULL,
  id uuid NOT NULL,
  embedding real[] NOT NULL,
  document_id uuid NOT NULL,
  chunk integer NOT NULL,
  content text NOT NULL,
  labels jsonb NOT NULL,
  signs bit varying,
  CONSTRAINT vectors_pkey PRIMARY KEY (workspace_id, collection, id),
  CONSTRAINT vectors_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX vectors_by_document ON public.vectors USING btree (workspace_id, collection, document_id);

ALTER TABLE vectors ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY purge ON vectors AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = vectors.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON vectors AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = vectors.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON vectors AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (chunk, content, document_id, embedding, labels, signs) ON vectors TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON vectors TO parley_door;

CREATE TABLE webhook_attempts (
  workspace_id uuid NOT NULL,
  delivery_id uuid NOT NULL,
  number integer NOT NULL,
  at timestamp with time zone NOT NULL,
  status integer,
  latency_ms integer NOT NULL,
  response text NOT NULL,
  error text,
  CONSTRAINT webhook_attempts_number_check CHECK ((number >= 1)),
  CONSTRAINT webhook_attempts_pkey PRIMARY KEY (workspace_id, delivery_id, number),
  CONSTRAINT webhook_attempts_workspace_id_delivery_id_fkey FOREIGN KEY (workspace_id, delivery_id) REFERENCES webhook_deliveries(workspace_id, id) ON DELETE CASCADE
);

ALTER TABLE webhook_attempts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY erase ON webhook_attempts AS PERMISSIVE FOR ALL TO parley_door
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

CREATE POLICY key_bots ON webhook_attempts AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE false
END)
  WITH CHECK (true);

CREATE POLICY purge ON webhook_attempts AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = webhook_attempts.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON webhook_attempts AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = webhook_attempts.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON webhook_attempts AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT ON webhook_attempts TO parley_app;

GRANT DELETE, SELECT (delivery_id, response, workspace_id), UPDATE (response) ON webhook_attempts TO parley_door;

CREATE TABLE webhook_deliveries (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  subscription_id uuid NOT NULL,
  event_id uuid NOT NULL,
  event_type text NOT NULL,
  body text NOT NULL DEFAULT 'null'::text,
  status text NOT NULL DEFAULT 'pending'::text,
  attempts integer NOT NULL DEFAULT 0,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  finished_at timestamp with time zone,
  erased_at timestamp with time zone,
  CONSTRAINT webhook_deliveries_check CHECK (((status = 'pending'::text) = (finished_at IS NULL))),
  CONSTRAINT webhook_deliveries_event_key UNIQUE (workspace_id, subscription_id, event_id),
  CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT webhook_deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text]))),
  CONSTRAINT webhook_deliveries_workspace_id_subscription_id_fkey FOREIGN KEY (workspace_id, subscription_id) REFERENCES webhook_subscriptions(workspace_id, id)
);

CREATE INDEX webhook_deliveries_by_age ON public.webhook_deliveries USING brin (created_at) WITH (autosummarize='on');

CREATE INDEX webhook_deliveries_by_event ON public.webhook_deliveries USING btree (workspace_id, event_id);

CREATE INDEX webhook_deliveries_by_status ON public.webhook_deliveries USING btree (workspace_id, status, id);

CREATE INDEX webhook_deliveries_by_subscription ON public.webhook_deliveries USING btree (workspace_id, subscription_id, id);

ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON webhook_deliveries AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON webhook_deliveries AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE (created_at = now())
END)
  WITH CHECK (true);

CREATE POLICY purge ON webhook_deliveries AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = webhook_deliveries.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON webhook_deliveries AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = webhook_deliveries.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON webhook_deliveries AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE ON webhook_deliveries TO parley_app;

GRANT DELETE, SELECT (body, created_at, erased_at, event_id, finished_at, id, status, workspace_id), UPDATE (body, erased_at) ON webhook_deliveries TO parley_door;

CREATE TABLE webhook_endpoints (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  name text NOT NULL,
  bot_id uuid NOT NULL,
  status text NOT NULL,
  secrets jsonb NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  deleted_at timestamp with time zone,
  responsible_id uuid,
  on_archived text NOT NULL DEFAULT 'new_thread'::text,
  CONSTRAINT webhook_endpoints_bot_fkey FOREIGN KEY (workspace_id, bot_id) REFERENCES bots(workspace_id, id),
  CONSTRAINT webhook_endpoints_id_key UNIQUE (id),
  CONSTRAINT webhook_endpoints_on_archived_check CHECK ((on_archived = ANY (ARRAY['new_thread'::text, 'reopen'::text]))),
  CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT webhook_endpoints_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text]))),
  CONSTRAINT webhook_endpoints_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX webhook_endpoints_by_bot ON public.webhook_endpoints USING btree (bot_id, workspace_id);

ALTER TABLE webhook_endpoints ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON webhook_endpoints AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY key_bots ON webhook_endpoints AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE COALESCE((bot_id = ANY ((current_setting('app.bots'::text, true))::uuid[])), false)
END)
  WITH CHECK (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.refuse_bot(bot_id)
END);

CREATE POLICY purge ON webhook_endpoints AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = webhook_endpoints.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON webhook_endpoints AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = webhook_endpoints.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON webhook_endpoints AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE ON webhook_endpoints TO parley_app;

GRANT DELETE, SELECT (bot_id, deleted_at, id, secrets, status, workspace_id) ON webhook_endpoints TO parley_door;

CREATE TABLE webhook_events (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  webhook_id text NOT NULL,
  kind text NOT NULL,
  payload jsonb NOT NULL,
  operation_id uuid NOT NULL,
  received_at timestamp with time zone NOT NULL DEFAULT now(),
  conversation_id text,
  status text NOT NULL DEFAULT 'received'::text,
  processed_at timestamp with time zone,
  thread_id uuid,
  turn_id uuid,
  body json,
  CONSTRAINT webhook_events_endpoint_fkey FOREIGN KEY (workspace_id, endpoint_id) REFERENCES webhook_endpoints(workspace_id, id),
  CONSTRAINT webhook_events_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT webhook_events_sender_key UNIQUE (workspace_id, endpoint_id, webhook_id),
  CONSTRAINT webhook_events_status_check CHECK ((status = ANY (ARRAY['received'::text, 'processed'::text, 'ignored'::text]))),
  CONSTRAINT webhook_events_turn_fkey FOREIGN KEY (workspace_id, turn_id) REFERENCES llm_turns(workspace_id, id),
  CONSTRAINT webhook_events_webhook_id_check CHECK (((char_length(webhook_id) >= 1) AND (char_length(webhook_id) <= 256))),
  CONSTRAINT webhook_events_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX webhook_events_by_age ON public.webhook_events USING brin (received_at) WITH (autosummarize='on');

CREATE INDEX webhook_events_by_endpoint ON public.webhook_events USING btree (workspace_id, endpoint_id, id);

CREATE INDEX webhook_events_by_status ON public.webhook_events USING btree (workspace_id, status, id);

CREATE INDEX webhook_events_by_turn ON public.webhook_events USING btree (turn_id, workspace_id) WHERE (turn_id IS NOT NULL);

CREATE INDEX webhook_events_waiting ON public.webhook_events USING btree (endpoint_id, conversation_id, received_at, id, workspace_id) WHERE (status = 'received'::text);

ALTER TABLE webhook_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON webhook_events AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

CREATE POLICY key_bots ON webhook_events AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE app.sees_endpoint(endpoint_id)
END);

CREATE POLICY purge ON webhook_events AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = webhook_events.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON webhook_events AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = webhook_events.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON webhook_events AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE (processed_at, status, thread_id, turn_id) ON webhook_events TO parley_app;

GRANT DELETE, SELECT (id, operation_id, received_at, status, turn_id, workspace_id), UPDATE (body, conversation_id, payload, status, thread_id, turn_id) ON webhook_events TO parley_door;

CREATE TABLE webhook_subscriptions (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  url text NOT NULL,
  events text[] NOT NULL,
  endpoint_id uuid,
  status text NOT NULL,
  disabled_reason text,
  failing_since timestamp with time zone,
  secrets jsonb NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  deleted_at timestamp with time zone,
  responsible_id uuid,
  held_at timestamp with time zone,
  last_failed_at timestamp with time zone,
  failures integer NOT NULL DEFAULT 0,
  CONSTRAINT webhook_subscriptions_endpoint_fkey FOREIGN KEY (workspace_id, endpoint_id) REFERENCES webhook_endpoints(workspace_id, id),
  CONSTRAINT webhook_subscriptions_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT webhook_subscriptions_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text]))),
  CONSTRAINT webhook_subscriptions_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX webhook_subscriptions_by_endpoint ON public.webhook_subscriptions USING btree (endpoint_id, workspace_id) WHERE (endpoint_id IS NOT NULL);

ALTER TABLE webhook_subscriptions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON webhook_subscriptions AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY key_bots ON webhook_subscriptions AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE ((endpoint_id IS NULL) OR app.sees_endpoint(endpoint_id))
END);

CREATE POLICY purge ON webhook_subscriptions AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = webhook_subscriptions.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON webhook_subscriptions AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = webhook_subscriptions.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON webhook_subscriptions AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE ON webhook_subscriptions TO parley_app;

GRANT DELETE, SELECT (secrets, workspace_id) ON webhook_subscriptions TO parley_door;

CREATE TABLE workspace_exports (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  status text NOT NULL,
  created_by uuid NOT NULL,
  created_at timestamp with time zone NOT NULL,
  started_at timestamp with time zone,
  finished_at timestamp with time zone,
  expires_at timestamp with time zone,
  attempt integer NOT NULL DEFAULT 0,
  rows_done bigint NOT NULL DEFAULT 0,
  files_done bigint NOT NULL DEFAULT 0,
  files_total bigint,
  size bigint,
  sha256 bytea,
  error_code text,
  error_message text,
  CONSTRAINT workspace_exports_attempt_check CHECK ((attempt >= 0)),
  CONSTRAINT workspace_exports_check CHECK (((status = ANY (ARRAY['queued'::text, 'running'::text])) = (finished_at IS NULL))),
  CONSTRAINT workspace_exports_check1 CHECK (((status <> 'completed'::text) OR ((size IS NOT NULL) AND (sha256 IS NOT NULL) AND (expires_at IS NOT NULL)))),
  CONSTRAINT workspace_exports_pkey PRIMARY KEY (workspace_id, id),
  CONSTRAINT workspace_exports_sha256_check CHECK ((octet_length(sha256) = 32)),
  CONSTRAINT workspace_exports_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'running'::text, 'completed'::text, 'failed'::text, 'expired'::text]))),
  CONSTRAINT workspace_exports_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX workspace_exports_completed ON public.workspace_exports USING btree (expires_at) WHERE (status = 'completed'::text);

CREATE INDEX workspace_exports_finished ON public.workspace_exports USING btree (finished_at) WHERE (status = ANY (ARRAY['failed'::text, 'expired'::text]));

CREATE UNIQUE INDEX workspace_exports_one_at_once ON public.workspace_exports USING btree (workspace_id) WHERE (status = ANY (ARRAY['queued'::text, 'running'::text]));

ALTER TABLE workspace_exports ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON workspace_exports AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY key_bots ON workspace_exports AS RESTRICTIVE FOR ALL TO parley_app
  USING (
CASE
    WHEN (COALESCE(current_setting('app.bots'::text, true), ''::text) = ''::text) THEN true
    ELSE false
END)
  WITH CHECK (true);

CREATE POLICY purge ON workspace_exports AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = workspace_exports.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON workspace_exports AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = workspace_exports.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON workspace_exports AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (attempt, error_code, error_message, expires_at, files_done, files_total, finished_at, rows_done, sha256, size, started_at, status) ON workspace_exports TO parley_app;

GRANT DELETE, SELECT (expires_at, finished_at, id, started_at, status, workspace_id) ON workspace_exports TO parley_door;

CREATE TABLE workspace_limits (
  workspace_id uuid NOT NULL,
  metric text NOT NULL,
  most bigint NOT NULL,
  CONSTRAINT workspace_limits_metric_check CHECK ((metric = ANY (ARRAY['turns'::text, 'tokens'::text, 'messages'::text, 'webhook_events'::text, 'storage_bytes'::text, 'bots'::text, 'members'::text, 'api_keys'::text, 'webhook_subscriptions'::text, 'cost_micros'::text, 'knowledge_bases'::text, 'documents'::text, 'chunks'::text, 'knowledge_bytes'::text, 'end_users'::text, 'tools'::text]))),
  CONSTRAINT workspace_limits_most_check CHECK (((most >= 0) AND (most <= '1000000000000000000'::bigint))),
  CONSTRAINT workspace_limits_pkey PRIMARY KEY (workspace_id, metric),
  CONSTRAINT workspace_limits_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

ALTER TABLE workspace_limits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY purge ON workspace_limits AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = workspace_limits.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON workspace_limits AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = workspace_limits.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON workspace_limits AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE (most) ON workspace_limits TO parley_app;

GRANT DELETE, SELECT (workspace_id) ON workspace_limits TO parley_door;

CREATE TABLE workspace_members (
  workspace_id uuid NOT NULL,
  user_id uuid NOT NULL,
  role text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  CONSTRAINT workspace_members_pkey PRIMARY KEY (workspace_id, user_id),
  CONSTRAINT workspace_members_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'editor'::text, 'viewer'::text]))),
  CONSTRAINT workspace_members_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id),
  CONSTRAINT workspace_members_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX workspace_members_by_user ON public.workspace_members USING btree (user_id, created_at);

CREATE INDEX workspace_members_in_order ON public.workspace_members USING btree (workspace_id, created_at, user_id);

ALTER TABLE workspace_members ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON workspace_members AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY purge ON workspace_members AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = workspace_members.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON workspace_members AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = workspace_members.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON workspace_members AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT DELETE, INSERT, SELECT, UPDATE ON workspace_members TO parley_app;

GRANT DELETE, SELECT, SELECT (workspace_id) ON workspace_members TO parley_door;

CREATE TABLE workspace_purges (
  id uuid NOT NULL,
  purged_at timestamp with time zone NOT NULL DEFAULT now(),
  removed jsonb NOT NULL,
  finished boolean NOT NULL DEFAULT true,
  CONSTRAINT workspace_purges_pkey PRIMARY KEY (id)
);

ALTER TABLE workspace_purges ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON workspace_purges AS PERMISSIVE FOR INSERT TO parley_door
  WITH CHECK (true);

CREATE POLICY progress ON workspace_purges AS PERMISSIVE FOR ALL TO parley_door
  USING (true)
  WITH CHECK (true);

GRANT INSERT, SELECT, UPDATE (finished, purged_at, removed) ON workspace_purges TO parley_door;

CREATE TABLE workspace_retention (
  workspace_id uuid NOT NULL,
  threads_days integer,
  events_days integer,
  jobs_days integer,
  usage_months integer,
  next_run_at timestamp with time zone,
  lease_until timestamp with time zone,
  run_started_at timestamp with time zone,
  run_ended_at timestamp with time zone,
  run_error text,
  run_threads bigint NOT NULL DEFAULT 0,
  run_events bigint NOT NULL DEFAULT 0,
  run_jobs bigint NOT NULL DEFAULT 0,
  run_usage bigint NOT NULL DEFAULT 0,
  audit_days integer,
  run_audit bigint NOT NULL DEFAULT 0,
  usage_before date,
  CONSTRAINT workspace_retention_audit_days_check CHECK (((audit_days >= 90) AND (audit_days <= 3650))),
  CONSTRAINT workspace_retention_events_days_check CHECK (((events_days >= 1) AND (events_days <= 3650))),
  CONSTRAINT workspace_retention_jobs_days_check CHECK (((jobs_days >= 1) AND (jobs_days <= 3650))),
  CONSTRAINT workspace_retention_pkey PRIMARY KEY (workspace_id),
  CONSTRAINT workspace_retention_threads_days_check CHECK (((threads_days >= 1) AND (threads_days <= 3650))),
  CONSTRAINT workspace_retention_usage_months_check CHECK (((usage_months >= 1) AND (usage_months <= 120))),
  CONSTRAINT workspace_retention_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces(id)
);

CREATE INDEX workspace_retention_due ON public.workspace_retention USING btree (next_run_at) WHERE (next_run_at IS NOT NULL);

CREATE INDEX workspace_retention_unfinished ON public.workspace_retention USING btree (lease_until) WHERE ((run_started_at IS NOT NULL) AND (run_ended_at IS NULL));

ALTER TABLE workspace_retention ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON workspace_retention AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY purge ON workspace_retention AS PERMISSIVE FOR DELETE TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = workspace_retention.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY purge_look ON workspace_retention AS PERMISSIVE FOR SELECT TO parley_door
  USING ((EXISTS ( SELECT
   FROM workspaces w
  WHERE ((w.id = workspace_retention.workspace_id) AND (w.deleted_at < (now() - '30 days'::interval))))));

CREATE POLICY tenant ON workspace_retention AS PERMISSIVE FOR ALL TO parley_app
  USING ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((workspace_id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE ON workspace_retention TO parley_app;

GRANT DELETE, SELECT (lease_until, next_run_at, run_ended_at, run_started_at, usage_before, workspace_id) ON workspace_retention TO parley_door;

CREATE TABLE workspaces (
  id uuid NOT NULL,
  name text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  deleted_at timestamp with time zone,
  second_factor boolean NOT NULL DEFAULT false,
  CONSTRAINT workspaces_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
  CONSTRAINT workspaces_pkey PRIMARY KEY (id)
);

CREATE INDEX workspaces_deleted ON public.workspaces USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY door ON workspaces AS PERMISSIVE FOR SELECT TO parley_door
  USING (true);

CREATE POLICY purge ON workspaces AS PERMISSIVE FOR DELETE TO parley_door
  USING ((deleted_at < (now() - '30 days'::interval)));

CREATE POLICY tenant ON workspaces AS PERMISSIVE FOR ALL TO parley_app
  USING ((id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid))
  WITH CHECK ((id = (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid));

GRANT INSERT, SELECT, UPDATE ON workspaces TO parley_app;

GRANT DELETE, SELECT ON workspaces TO parley_door;

CREATE OR REPLACE FUNCTION app.abandoned_turns(most integer)
 RETURNS TABLE(workspace_id uuid, thread_id uuid, actor_id uuid, operation_id uuid, attempt integer)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT t.workspace_id, t.thread_id, t.actor_id, t.operation_id, t.attempt
      FROM (SELECT a.workspace_id, a.thread_id, a.actor_id, a.operation_id, a.attempt - a.waits AS attempt, a.lease_until,
                   row_number() OVER (PARTITION BY a.workspace_id ORDER BY a.lease_until) AS place
              FROM public.llm_turns a
             WHERE a.finished_at IS NULL AND a.lease_until < now()) t
     ORDER BY t.place, t.lease_until
     LIMIT most
$function$;
GRANT EXECUTE ON FUNCTION app.abandoned_turns(integer) TO parley_app;
ALTER FUNCTION app.abandoned_turns(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.adopt_key(print bytea)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    INSERT INTO public.installation (key_print) VALUES (print) ON CONFLICT (singleton) DO UPDATE SET key_print = excluded.key_print
$function$;
GRANT EXECUTE ON FUNCTION app.adopt_key(bytea) TO parley_app;
ALTER FUNCTION app.adopt_key(bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.all_users(after uuid, most integer)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT u.id FROM public.users u WHERE after IS NULL OR u.id > after ORDER BY u.id LIMIT most
$function$;
GRANT EXECUTE ON FUNCTION app.all_users(uuid,integer) TO parley_app;
ALTER FUNCTION app.all_users(uuid,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.all_workspaces(after uuid, most integer)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT w.id FROM public.workspaces w WHERE after IS NULL OR w.id > after ORDER BY w.id LIMIT most
$function$;
GRANT EXECUTE ON FUNCTION app.all_workspaces(uuid,integer) TO parley_app;
ALTER FUNCTION app.all_workspaces(uuid,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.analytics_depth(most integer)
 RETURNS integer
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT count(*)::integer FROM (SELECT 1 FROM public.analytics_outbox LIMIT most) waiting
$function$;
GRANT EXECUTE ON FUNCTION app.analytics_depth(integer) TO parley_app;
ALTER FUNCTION app.analytics_depth(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.announce_invitation(address text, mailbox bytea)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('invitations to ' || address, 0));
    IF (SELECT count(*) FROM public.invitations i
          JOIN public.workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
         WHERE i.email = address AND i.announced AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > now()
           AND i.workspace_id <> nullif(current_setting('app.workspace_id', true), '')::uuid) >= 5 THEN
        RETURN false;
    END IF;
    RETURN app.count_mail(ARRAY[mailbox], ARRAY[3]) = 0;
END $function$;
GRANT EXECUTE ON FUNCTION app.announce_invitation(text,bytea) TO parley_app;
ALTER FUNCTION app.announce_invitation(text,bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.attachments_of(workspace uuid, turn uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
    SELECT jsonb_agg(jsonb_build_object('file_id', a.file_id, 'name', a.name, 'media_type', a.media_type, 'size', a.size, 'deleted', a.stored_id IS NULL)
                     ORDER BY a.place)
      FROM public.message_attachments a WHERE a.workspace_id = workspace AND a.turn_id = turn
$function$;
GRANT EXECUTE ON FUNCTION app.attachments_of(uuid,uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.audit_adoption()
 RETURNS TABLE(adopt_until timestamp with time zone, adopt_mac bytea, heads boolean)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT p.adopt_until, p.adopt_mac, EXISTS (SELECT FROM public.audit_seal_heads)
      FROM (SELECT) one LEFT JOIN public.audit_seal_progress p ON true
$function$;
GRANT EXECUTE ON FUNCTION app.audit_adoption() TO parley_app;
ALTER FUNCTION app.audit_adoption() OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.audit_heads(which text, after uuid, most integer)
 RETURNS SETOF uuid
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    CASE which
        WHEN 'all' THEN RETURN QUERY SELECT h.workspace_id FROM public.audit_seal_heads h WHERE h.workspace_id > after ORDER BY h.workspace_id LIMIT most;
        WHEN 'to adopt' THEN RETURN QUERY SELECT h.workspace_id FROM public.audit_seal_heads h
                                           WHERE h.mac IS NULL AND h.workspace_id > after ORDER BY h.workspace_id LIMIT most;
        WHEN 'to anchor' THEN RETURN QUERY SELECT h.workspace_id FROM public.audit_seal_heads h
                                            WHERE h.mac_seq > h.anchored_seq AND h.workspace_id > after ORDER BY h.workspace_id LIMIT most;
    END CASE;
END $function$;
GRANT EXECUTE ON FUNCTION app.audit_heads(text,uuid,integer) TO parley_app;
ALTER FUNCTION app.audit_heads(text,uuid,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.audit_row_at(id uuid, created_at timestamp with time zone)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT CASE WHEN substr(id::text, 15, 1) = '7'
                THEN greatest(created_at, to_timestamp(('x0000' || substr(id::text, 1, 8) || substr(id::text, 10, 4))::bit(64)::bigint / 1000.0))
                ELSE created_at END
$function$;
GRANT EXECUTE ON FUNCTION app.audit_row_at(uuid,timestamp with time zone) TO public;

CREATE OR REPLACE FUNCTION app.audit_sealed(at timestamp with time zone)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    INSERT INTO public.audit_seal_progress (sealed_at) VALUES (at)
    ON CONFLICT (singleton) DO UPDATE SET sealed_at = greatest(audit_seal_progress.sealed_at, excluded.sealed_at)
$function$;
GRANT EXECUTE ON FUNCTION app.audit_sealed(timestamp with time zone) TO parley_app;
ALTER FUNCTION app.audit_sealed(timestamp with time zone) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.audit_to_seal(look_back integer)
 RETURNS TABLE(workspace_id uuid, since timestamp with time zone, sealed_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    start timestamptz := coalesce((SELECT p.sealed_at FROM public.audit_seal_progress p), timestamptz 'epoch') - look_back * interval '1 second';
BEGIN
    RETURN QUERY
    SELECT DISTINCT in_no_seal.workspace_id, start, now() FROM (
        SELECT a.workspace_id, a.id FROM public.audit_log a WHERE a.created_at >= start
        EXCEPT
        SELECT s.workspace_id, unnest(s.row_ids) FROM public.audit_seals s WHERE s.sealed_at >= start
    ) in_no_seal;
END $function$;
GRANT EXECUTE ON FUNCTION app.audit_to_seal(integer) TO parley_app;
ALTER FUNCTION app.audit_to_seal(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.beat_turn_process(process uuid, lease_seconds double precision, OUT known boolean, OUT turns integer)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    before timestamptz;
    silent uuid[];
BEGIN
    turns := 0;
    SELECT p.lease_until INTO before FROM public.turn_processes p WHERE p.id = process FOR UPDATE;
    known := FOUND;
    INSERT INTO public.turn_processes (id, lease_until) VALUES (process, now() + make_interval(secs => lease_seconds))
        ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until;
    IF before >= now() THEN
        SELECT array_agg(s.id) INTO silent
          FROM (SELECT p.id FROM public.turn_processes p WHERE p.lease_until < now() FOR UPDATE SKIP LOCKED) s;
        IF silent IS NOT NULL THEN
            turns := app.give_back_turns(silent);
        END IF;
    END IF;
END $function$;
GRANT EXECUTE ON FUNCTION app.beat_turn_process(uuid,double precision) TO parley_app;
ALTER FUNCTION app.beat_turn_process(uuid,double precision) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.begin_audit_adoption(until timestamp with time zone, mac bytea)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    INSERT INTO public.audit_seal_progress AS p (sealed_at, adopt_until, adopt_mac) VALUES ('epoch', until, mac)
    ON CONFLICT (singleton) DO UPDATE SET adopt_until = excluded.adopt_until, adopt_mac = excluded.adopt_mac WHERE p.adopt_until IS NULL
$function$;
GRANT EXECUTE ON FUNCTION app.begin_audit_adoption(timestamp with time zone,bytea) TO parley_app;
ALTER FUNCTION app.begin_audit_adoption(timestamp with time zone,bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.begin_login(address bytea)
 RETURNS double precision
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    left_over double precision;
BEGIN
    INSERT INTO public.login_attempts AS a (address_hash, failures, blocked_until)
    VALUES (address, 1, now())
    ON CONFLICT (address_hash) DO UPDATE
       SET failures = CASE WHEN a.updated_at < now() - interval '1 day' THEN 1 ELSE a.failures + 1 END,
           blocked_until = clock_timestamp() + CASE WHEN a.failures < 4 OR a.updated_at < now() - interval '1 day' THEN interval '0'
               ELSE least(interval '1 second' * (2 ^ least(a.failures - 3, 10)), interval '5 minutes') END,
           updated_at = clock_timestamp()
     WHERE a.blocked_until <= clock_timestamp();
    IF FOUND THEN
        RETURN 0;
    END IF;
    SELECT extract(epoch FROM a.blocked_until - clock_timestamp()) INTO left_over
      FROM public.login_attempts a WHERE a.address_hash = address;
    RETURN greatest(coalesce(left_over, 0), 0.001);
END $function$;
GRANT EXECUTE ON FUNCTION app.begin_login(bytea) TO parley_app;
ALTER FUNCTION app.begin_login(bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.begin_periodic(task text, worker uuid, lease_seconds double precision)
 RETURNS double precision
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    free_at timestamptz;
BEGIN
    INSERT INTO public.periodic_tasks (name, due_at) VALUES (task, clock_timestamp()) ON CONFLICT (name) DO NOTHING;
    UPDATE public.periodic_tasks p SET holder = worker, lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
     WHERE p.name = task AND greatest(p.due_at, p.lease_until) <= clock_timestamp();
    IF FOUND THEN
        RETURN 0;
    END IF;
    SELECT greatest(p.due_at, p.lease_until) INTO free_at FROM public.periodic_tasks p WHERE p.name = task;
    RETURN greatest(extract(epoch FROM free_at - clock_timestamp()), 0.001);
END $function$;
GRANT EXECUTE ON FUNCTION app.begin_periodic(text,uuid,double precision) TO parley_app;
ALTER FUNCTION app.begin_periodic(text,uuid,double precision) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.begin_set_up()
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('the first account', 0));
    RETURN NOT EXISTS (SELECT FROM public.users);
END $function$;
GRANT EXECUTE ON FUNCTION app.begin_set_up() TO parley_app;
ALTER FUNCTION app.begin_set_up() OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.begin_turn_of_key(workspace uuid, its_key uuid, limits jsonb, moment timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    metrics text;
    wait    numeric;
BEGIN
    PERFORM app.count_for_caller(workspace, its_key, 'turns', coalesce(limits -> 'turns', '{}'), moment);
    SELECT string_agg(DISTINCT c.metric, ', '), max(extract(epoch FROM date_trunc(c.period, moment, 'UTC') + ('1 ' || c.period)::interval - moment)) INTO metrics, wait
      FROM public.caller_counts c
     WHERE c.workspace_id = workspace AND c.caller_id = its_key AND c.metric IN ('tokens', 'cost_micros')
       AND c.used >= (limits -> c.metric ->> c.period)::bigint AND c.began_at >= date_trunc(c.period, moment, 'UTC');
    IF wait IS NOT NULL THEN
        RAISE EXCEPTION 'too many %', metrics USING ERRCODE = 'PYRAT', DETAIL = greatest(1, ceil(wait))::bigint::text;
    END IF;
END $function$;
GRANT EXECUTE ON FUNCTION app.begin_turn_of_key(uuid,uuid,jsonb,timestamp with time zone) TO parley_app;

CREATE OR REPLACE FUNCTION app.blocked_since(counter bytea, account bytea, begun timestamp with time zone)
 RETURNS double precision
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT coalesce(max(greatest(extract(epoch FROM b.until - clock_timestamp())::double precision, 1)), 0)
      FROM (SELECT a.blocked_until FROM public.login_attempts a WHERE a.address_hash = counter AND a.failures > 4
             UNION ALL
            SELECT f.blocked_until FROM public.account_failures f WHERE f.account_hash = account AND f.failures > 100) b (until)
     WHERE b.until > begun
$function$;
GRANT EXECUTE ON FUNCTION app.blocked_since(bytea,bytea,timestamp with time zone) TO parley_door;

CREATE OR REPLACE FUNCTION app.channel_thread(workspace uuid, endpoint uuid, conversation text, new_id uuid, moment timestamp with time zone)
 RETURNS uuid
 LANGUAGE plpgsql
AS $function$
DECLARE
    e record;
    t record;
BEGIN
    SELECT w.bot_id, w.on_archived INTO e FROM public.webhook_endpoints w WHERE w.workspace_id = workspace AND w.id = endpoint;
    LOOP
        SELECT c.id, c.bot_id, c.status INTO t FROM public.threads c
         WHERE c.workspace_id = workspace AND c.endpoint_id = endpoint AND c.conversation_id = conversation FOR UPDATE;
        IF FOUND AND (t.status = 'active' OR e.on_archived = 'reopen') THEN
            IF t.status <> 'active' OR t.bot_id IS DISTINCT FROM e.bot_id THEN
                UPDATE public.threads c SET status = 'active', bot_id = e.bot_id WHERE c.workspace_id = workspace AND c.id = t.id;
            END IF;
            RETURN t.id;
        END IF;
        IF FOUND THEN
            UPDATE public.threads c SET endpoint_id = NULL, conversation_id = NULL WHERE c.workspace_id = workspace AND c.id = t.id;
        END IF;
        INSERT INTO public.threads (workspace_id, id, bot_id, status, created_by, created_at, endpoint_id, conversation_id)
        VALUES (workspace, new_id, e.bot_id, 'active', endpoint, moment, endpoint, conversation)
            ON CONFLICT (endpoint_id, conversation_id, workspace_id) WHERE endpoint_id IS NOT NULL DO NOTHING;
        IF FOUND THEN
            RETURN new_id;
        END IF;
    END LOOP;
END $function$;
GRANT EXECUTE ON FUNCTION app.channel_thread(uuid,uuid,text,uuid,timestamp with time zone) TO parley_app;

CREATE OR REPLACE FUNCTION app.claim_account_emails(max_rows integer, lease_seconds double precision)
 RETURNS TABLE(id uuid, kind text, user_id uuid, address text, language text, trace_id text, attempt integer, created_at timestamp with time zone)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    WITH due AS (
        SELECT e.id FROM public.account_emails e WHERE e.run_at <= now() ORDER BY e.run_at, e.id LIMIT max_rows FOR UPDATE SKIP LOCKED
    )
    UPDATE public.account_emails e SET attempt = e.attempt + 1, run_at = now() + make_interval(secs => lease_seconds)
      FROM due WHERE e.id = due.id
    RETURNING e.id, e.kind, e.user_id, e.address, e.language, e.trace_id, e.attempt, e.created_at;
$function$;
GRANT EXECUTE ON FUNCTION app.claim_account_emails(integer,double precision) TO parley_app;
ALTER FUNCTION app.claim_account_emails(integer,double precision) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.claim_jobs(most integer, lease_seconds double precision, kinds text[], room integer[], starting uuid)
 RETURNS TABLE(workspace_id uuid, id uuid, kind text, key text, payload jsonb, operation_id uuid, trace_id text, attempt integer, failures integer, max_attempts integer, created_at timestamp with time zone)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
    WITH RECURSIVE groups AS (
        (SELECT j.workspace_id, j.kind, j.target, j.priority, 1 AS n FROM public.job_queue j
          WHERE j.status = 'queued' AND j.workspace_id >= starting ORDER BY j.workspace_id, j.kind, j.target, j.priority LIMIT 1)
        UNION ALL
        SELECT further.workspace_id, further.kind, further.target, further.priority, g.n + 1
          FROM groups g
         CROSS JOIN LATERAL (
               SELECT j.workspace_id, j.kind, j.target, j.priority FROM public.job_queue j
                WHERE j.status = 'queued' AND (j.workspace_id, j.kind, j.target, j.priority) > (g.workspace_id, g.kind, g.target, g.priority)
                ORDER BY j.workspace_id, j.kind, j.target, j.priority LIMIT 1) further
         WHERE g.n < 500
    ), limits AS (
        SELECT g.workspace_id, g.kind, g.target, g.priority, l.room
          FROM groups g LEFT JOIN unnest(kinds, room) AS l(kind, room) ON l.kind = g.kind
    ), shares AS (
        SELECT w.workspace_id,
               (SELECT count(*) FROM public.job_queue r WHERE r.workspace_id = w.workspace_id AND r.status = 'running') AS running,
               (SELECT max(s.started_at) FROM public.job_queue s WHERE s.workspace_id = w.workspace_id AND s.started_at IS NOT NULL) AS served
          FROM (SELECT DISTINCT g.workspace_id FROM groups g) w
    ), placed AS (
        SELECT c.workspace_id, c.id, c.kind, c.priority, c.run_at, l.room, s.served,
               s.running + row_number() OVER (PARTITION BY c.workspace_id ORDER BY c.priority, c.run_at, c.id) AS share
          FROM limits l
          JOIN shares s ON s.workspace_id = l.workspace_id
         CROSS JOIN LATERAL (
               SELECT j.workspace_id, j.id, j.kind, j.priority, j.run_at FROM public.job_queue j
                WHERE j.status = 'queued' AND j.workspace_id = l.workspace_id AND j.kind = l.kind AND j.target = l.target AND j.priority = l.priority
                  AND j.run_at <= now()
                  AND NOT (j.kind = 'webhook.deliver' AND EXISTS (
                      SELECT FROM public.webhook_deliveries d
                       WHERE d.workspace_id = j.workspace_id AND d.id = CASE WHEN j.key ~ '^[0-9a-f-]{36}$' THEN j.key::uuid END AND d.body = 'null'))
                ORDER BY j.run_at, j.id LIMIT coalesce(l.room, 4 * most)) c -- more than most: others claim at the same time
    ), candidates AS (
        SELECT p.*, row_number() OVER (PARTITION BY p.kind ORDER BY p.share, p.served NULLS FIRST, p.priority, p.run_at, p.id) AS of_kind
          FROM placed p
    ), picked AS (
        SELECT locked.workspace_id, locked.id
          FROM (SELECT c.workspace_id, c.id FROM candidates c
                 WHERE c.room IS NULL OR c.of_kind <= c.room
                 ORDER BY c.share, c.served NULLS FIRST, c.priority, c.run_at, c.id) c
         CROSS JOIN LATERAL (
               SELECT j.workspace_id, j.id FROM public.job_queue j
                WHERE j.workspace_id = c.workspace_id AND j.id = c.id AND j.status = 'queued' FOR UPDATE SKIP LOCKED) locked
         LIMIT most
    ), claimed AS (
        UPDATE public.job_queue j
           SET status = 'running', attempt = j.attempt + 1, started_at = clock_timestamp(),
               lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
          FROM picked p WHERE j.workspace_id = p.workspace_id AND j.id = p.id
     RETURNING j.workspace_id, j.id, j.kind, j.key, j.payload, j.operation_id, j.trace_id, j.attempt, j.failures, j.max_attempts,
               j.created_at
    )
    SELECT c.* FROM claimed c
    UNION ALL
    (SELECT g.workspace_id, '00000000-0000-0000-0000-000000000000'::uuid, '', '', 'null'::jsonb, NULL::uuid, '', 0, 0, 0, now()
       FROM groups g WHERE g.n = 500)
$function$;
GRANT EXECUTE ON FUNCTION app.claim_jobs(integer,double precision,text[],integer[],uuid) TO parley_app;
ALTER FUNCTION app.claim_jobs(integer,double precision,text[],integer[],uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.claim_operation(workspace uuid, actor uuid, operation uuid, print bytea)
 RETURNS void
 LANGUAGE plpgsql
 SET lock_timeout TO '2s'
AS $function$
BEGIN
    INSERT INTO public.operations (workspace_id, actor_id, id, fingerprint) VALUES (workspace, actor, operation, print);
END $function$;
GRANT EXECUTE ON FUNCTION app.claim_operation(uuid,uuid,uuid,bytea) TO public;

CREATE OR REPLACE FUNCTION app.claim_operation(workspace uuid, actor uuid, operation uuid, print bytea, version smallint)
 RETURNS void
 LANGUAGE plpgsql
 SET lock_timeout TO '2s'
AS $function$
BEGIN
    INSERT INTO public.operations (workspace_id, actor_id, id, fingerprint, fingerprint_version)
    VALUES (workspace, actor, operation, print, version);
END $function$;
GRANT EXECUTE ON FUNCTION app.claim_operation(uuid,uuid,uuid,bytea,smallint) TO public;

CREATE OR REPLACE FUNCTION app.claim_sign_in(its_state bytea, its_end timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    INSERT INTO public.sign_ins (state_hash, expires_at) VALUES (its_state, its_end) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $function$;
GRANT EXECUTE ON FUNCTION app.claim_sign_in(bytea,timestamp with time zone) TO parley_app;
ALTER FUNCTION app.claim_sign_in(bytea,timestamp with time zone) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.close_to_limited_keys(tab regclass, own text DEFAULT 'false'::text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE format($policy$CREATE POLICY key_bots ON %1$s AS RESTRICTIVE TO parley_app
        USING (CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true ELSE %2$s END) WITH CHECK (true)$policy$, tab, own);
END $function$;

CREATE OR REPLACE FUNCTION app.close_tool_calls()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    UPDATE public.tool_calls c
       SET status = CASE WHEN c.status = 'running' AND c.effect = 'write' THEN 'unknown' ELSE 'cancelled' END, finished_at = new.finished_at
     WHERE c.workspace_id = new.workspace_id AND c.turn_id = new.id AND c.finished_at IS NULL;
    RETURN NULL;
END $function$;
GRANT EXECUTE ON FUNCTION app.close_tool_calls() TO public;

CREATE OR REPLACE FUNCTION app.count_for_caller(workspace uuid, caller uuid, its_metric text, limits jsonb, moment timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    l     record;
    begun timestamptz;
    n     bigint;
BEGIN
    FOR l IN SELECT e.key AS period, e.value::bigint AS most FROM jsonb_each_text(limits) e WHERE e.value::bigint > 0 ORDER BY e.key LOOP
        begun := date_trunc(l.period, moment, 'UTC');
        INSERT INTO public.caller_counts AS c (workspace_id, caller_id, metric, period, began_at, used)
        VALUES (workspace, caller, its_metric, l.period, begun, 1)
            ON CONFLICT (workspace_id, caller_id, metric, period) DO UPDATE
           SET used = CASE WHEN c.began_at >= excluded.began_at THEN c.used + 1 ELSE 1 END, began_at = greatest(c.began_at, excluded.began_at)
        RETURNING c.used INTO n;
        IF n > l.most THEN
            RAISE EXCEPTION 'too many %', its_metric USING ERRCODE = 'PYRAT',
                DETAIL = greatest(1, ceil(extract(epoch FROM begun + ('1 ' || l.period)::interval - moment)))::bigint::text;
        END IF;
    END LOOP;
END $function$;
GRANT EXECUTE ON FUNCTION app.count_for_caller(uuid,uuid,text,jsonb,timestamp with time zone) TO parley_app;

CREATE OR REPLACE FUNCTION app.count_mail(scopes bytea[], limits bigint[])
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    had   integer;
BEGIN
    FOR place IN 1 .. cardinality(scopes) LOOP
        INSERT INTO public.mail_counts (scope, day, sent) VALUES (scopes[place], today, 0) ON CONFLICT DO NOTHING;
        SELECT c.sent INTO had FROM public.mail_counts c WHERE c.scope = scopes[place] AND c.day = today FOR UPDATE;
        IF limits[place] > 0 AND had >= limits[place] THEN
            RETURN place;
        END IF;
    END LOOP;
    UPDATE public.mail_counts c SET sent = c.sent + 1 WHERE c.scope = ANY (scopes) AND c.day = today;
    RETURN 0;
END $function$;
GRANT EXECUTE ON FUNCTION app.count_mail(bytea[],bigint[]) TO parley_app;
ALTER FUNCTION app.count_mail(bytea[],bigint[]) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.current_seq(path int8multirange, last_seq bigint)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
AS $function$
    SELECT CASE WHEN path IS NULL THEN last_seq - 1 ELSE upper(path * int8multirange(int8range(1, last_seq + 1))) - 2 END
$function$;
GRANT EXECUTE ON FUNCTION app.current_seq(int8multirange,bigint) TO public;
GRANT EXECUTE ON FUNCTION app.current_seq(int8multirange,bigint) TO parley_app;

CREATE OR REPLACE FUNCTION app.cut_audit(after_seal bigint, last_seal bigint, total_rows bigint, last_mac bytea, its_time timestamp with time zone, its_mac bytea, its_key bytea)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    had       bigint := 0; -- the last seal that is gone already
    had_rows  bigint := 0;
    seals     bigint;
    named     bigint;      -- rows that the seals name
    gone      bigint;
BEGIN
    IF coalesce(current_setting('app.bots', true), '') <> '' THEN
        PERFORM app.refuse_key();
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('cut of ' || workspace, 0));
    SELECT c.seq, c.rows INTO had, had_rows FROM public.audit_cuts c WHERE c.workspace_id = workspace;
    IF coalesce(had, 0) <> after_seal THEN
        RETURN -1;
    END IF;
    SELECT count(*), sum(cardinality(s.row_ids)) INTO seals, named
      FROM public.audit_seals s WHERE s.workspace_id = workspace AND s.seq > after_seal AND s.seq <= last_seal;
    IF seals = 0 OR seals <> last_seal - after_seal OR total_rows <> coalesce(had_rows, 0) + named
       OR NOT EXISTS (SELECT FROM public.audit_seals s WHERE s.workspace_id = workspace AND s.seq = last_seal AND s.mac = last_mac) THEN
        RAISE EXCEPTION 'a cut of the audit log is of whole seals, the oldest first' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT EXISTS (SELECT FROM public.audit_seals s WHERE s.workspace_id = workspace AND s.seq > last_seal)
       OR NOT EXISTS (SELECT FROM public.audit_seal_heads h
                       WHERE h.workspace_id = workspace AND h.mac_seq > last_seal AND (h.anchored_seq = 0 OR h.anchored_seq > last_seal)) THEN
        RAISE EXCEPTION 'a cut of the audit log is below its head' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF EXISTS (SELECT FROM public.audit_seals s CROSS JOIN LATERAL unnest(s.row_ids) n(id)
                 JOIN public.audit_log a ON a.workspace_id = workspace AND a.id = n.id
                WHERE s.workspace_id = workspace AND s.seq > after_seal AND s.seq <= last_seal
                  AND app.audit_row_at(a.id, a.created_at) >= now() - interval '90 days') THEN
        RAISE EXCEPTION 'rows of the audit log stay for 90 days' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO public.audit_cuts AS c (workspace_id, seq, rows, seal_mac, cut_at, mac, key_id)
    VALUES (workspace, last_seal, total_rows, last_mac, its_time, its_mac, its_key)
    ON CONFLICT (workspace_id) DO UPDATE SET seq = excluded.seq, rows = excluded.rows, seal_mac = excluded.seal_mac,
           cut_at = excluded.cut_at, mac = excluded.mac, key_id = excluded.key_id;
    DELETE FROM public.audit_log a
     USING (SELECT unnest(s.row_ids) AS id FROM public.audit_seals s
             WHERE s.workspace_id = workspace AND s.seq > after_seal AND s.seq <= last_seal) old
     WHERE a.workspace_id = workspace AND a.id = old.id;
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone <> named THEN
        RAISE EXCEPTION 'seals name rows of the audit log that cannot be removed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM public.audit_seals s WHERE s.workspace_id = workspace AND s.seq > after_seal AND s.seq <= last_seal;
    RETURN gone;
END $function$;
GRANT EXECUTE ON FUNCTION app.cut_audit(bigint,bigint,bigint,bytea,timestamp with time zone,bytea,bytea) TO parley_app;
ALTER FUNCTION app.cut_audit(bigint,bigint,bigint,bytea,timestamp with time zone,bytea,bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.describes_end_user(end_user uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
AS $function$
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    others        boolean;
BEGIN
    IF its_bots = '' THEN
        RETURN true;
    END IF;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, ''); -- for this question the key sees all bots
    others := EXISTS (SELECT FROM public.end_user_bots b
                       WHERE b.workspace_id = its_workspace::uuid AND b.end_user_id = end_user AND b.bot_id <> ALL (its_bots::uuid[]));
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
    RETURN NOT others;
END $function$;
GRANT EXECUTE ON FUNCTION app.describes_end_user(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.dot(a real[], b real[])
 RETURNS real
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT pg_catalog.sum(pair.x OPERATOR(pg_catalog.*) pair.y) FROM ROWS FROM (pg_catalog.unnest(a), pg_catalog.unnest(b)) AS pair(x, y)
$function$;
GRANT EXECUTE ON FUNCTION app.dot(real[],real[]) TO parley_app;

CREATE OR REPLACE FUNCTION app.drop_analytics(arrived uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    DELETE FROM public.analytics_outbox o WHERE o.batch = arrived
$function$;
GRANT EXECUTE ON FUNCTION app.drop_analytics(uuid) TO parley_app;
ALTER FUNCTION app.drop_analytics(uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.end_account_email(its_id uuid, its_attempt integer, again_seconds double precision)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF again_seconds IS NULL THEN
        DELETE FROM public.account_emails e WHERE e.id = its_id AND e.attempt = its_attempt;
    ELSE
        UPDATE public.account_emails e SET run_at = now() + make_interval(secs => again_seconds) WHERE e.id = its_id AND e.attempt = its_attempt;
    END IF;
END $function$;
GRANT EXECUTE ON FUNCTION app.end_account_email(uuid,integer,double precision) TO parley_app;
ALTER FUNCTION app.end_account_email(uuid,integer,double precision) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.end_authority(workspace uuid, member uuid, invites text[], keys text[], subscribes boolean, OUT invitations integer, OUT api_keys integer, OUT subscriptions integer)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
DECLARE
    its_keys uuid[];
BEGIN
    UPDATE public.invitations i SET revoked_at = now()
     WHERE i.workspace_id = workspace AND i.invited_by = member AND i.accepted_at IS NULL AND i.revoked_at IS NULL
       AND i.role <> ALL (invites);
    GET DIAGNOSTICS invitations = ROW_COUNT;
    UPDATE public.api_keys k SET suspended_at = now()
     WHERE k.workspace_id = workspace AND coalesce(k.responsible_id, k.created_by) = member AND k.revoked_at IS NULL
       AND k.suspended_at IS NULL AND k.role <> ALL (keys);
    GET DIAGNOSTICS api_keys = ROW_COUNT;
    subscriptions := 0;
    IF subscribes THEN
        RETURN;
    END IF;
    its_keys := ARRAY(SELECT k.id FROM public.api_keys k WHERE k.workspace_id = workspace AND coalesce(k.responsible_id, k.created_by) = member);
    UPDATE public.webhook_subscriptions s SET held_at = coalesce(s.held_at, now()), responsible_id = member
     WHERE s.workspace_id = workspace AND s.deleted_at IS NULL AND coalesce(s.responsible_id, s.created_by) = ANY (its_keys || member);
    GET DIAGNOSTICS subscriptions = ROW_COUNT;
    UPDATE public.webhook_endpoints e SET responsible_id = member
     WHERE e.workspace_id = workspace AND e.deleted_at IS NULL AND coalesce(e.responsible_id, e.created_by) = ANY (its_keys);
END $function$;
GRANT EXECUTE ON FUNCTION app.end_authority(uuid,uuid,text[],text[],boolean) TO parley_app;

CREATE OR REPLACE FUNCTION app.end_key_authority(workspace uuid, key uuid)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
DECLARE
    held integer;
BEGIN
    UPDATE public.webhook_subscriptions s SET held_at = now()
     WHERE s.workspace_id = workspace AND s.deleted_at IS NULL AND s.held_at IS NULL AND coalesce(s.responsible_id, s.created_by) = key;
    GET DIAGNOSTICS held = ROW_COUNT;
    RETURN held;
END $function$;
GRANT EXECUTE ON FUNCTION app.end_key_authority(uuid,uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.end_login(address bytea)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    DELETE FROM public.login_attempts WHERE address_hash = address
$function$;
GRANT EXECUTE ON FUNCTION app.end_login(bytea) TO parley_app;
ALTER FUNCTION app.end_login(bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.end_other_sessions(keep uuid)
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    WITH ended AS (
        UPDATE public.sessions SET revoked_at = now()
         WHERE user_id = nullif(current_setting('app.user_id', true), '')::uuid AND id <> keep AND revoked_at IS NULL
     RETURNING 1
    ), ended_account AS (
        UPDATE public.account_sessions SET revoked_at = now()
         WHERE user_id = nullif(current_setting('app.user_id', true), '')::uuid AND id <> keep AND revoked_at IS NULL
     RETURNING 1
    )
    SELECT ((SELECT count(*) FROM ended) + (SELECT count(*) FROM ended_account))::integer
$function$;
GRANT EXECUTE ON FUNCTION app.end_other_sessions(uuid) TO parley_app;
ALTER FUNCTION app.end_other_sessions(uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.end_own_session(session uuid)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    usr           uuid := nullif(its_user, '')::uuid;
    home          uuid;
    ended         boolean;
BEGIN
    UPDATE public.account_sessions s SET revoked_at = now()
     WHERE s.user_id = usr AND s.id = session AND s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now();
    IF FOUND THEN
        RETURN true;
    END IF;
    SELECT f.workspace_id INTO home FROM app.find_session(session) f WHERE f.user_id = usr;
    IF home IS NULL THEN
        RETURN false;
    END IF;
    PERFORM app.set_tenant(home::text, its_user, '', '');
    UPDATE public.sessions s SET revoked_at = now()
     WHERE s.workspace_id = home AND s.id = session AND s.user_id = usr
       AND s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now();
    ended := FOUND;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
    RETURN ended;
END $function$;
GRANT EXECUTE ON FUNCTION app.end_own_session(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.end_periodic(task text, worker uuid, again_seconds double precision)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    UPDATE public.periodic_tasks p
       SET holder = NULL, lease_until = NULL, due_at = clock_timestamp() + make_interval(secs => again_seconds)
     WHERE p.name = task AND p.holder = worker
$function$;
GRANT EXECUTE ON FUNCTION app.end_periodic(text,uuid,double precision) TO parley_app;
ALTER FUNCTION app.end_periodic(text,uuid,double precision) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.end_user_of(changes jsonb)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT CASE WHEN changes ->> 'end_user_id' ~ '^[0-9a-f-]{36}$' THEN (changes ->> 'end_user_id')::uuid END
$function$;
GRANT EXECUTE ON FUNCTION app.end_user_of(jsonb) TO parley_app;
GRANT EXECUTE ON FUNCTION app.end_user_of(jsonb) TO parley_door;

CREATE OR REPLACE FUNCTION app.end_user_sessions(keep uuid)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    usr           uuid := nullif(its_user, '')::uuid;
    home          uuid;
    ended         integer;
    n             integer;
BEGIN
    UPDATE public.account_sessions SET revoked_at = now() WHERE user_id = usr AND id <> keep AND revoked_at IS NULL;
    GET DIAGNOSTICS ended = ROW_COUNT;
    FOREACH home IN ARRAY ARRAY(SELECT app.own_workspaces()) LOOP -- in their order, so that two of these do not wait for each other
        PERFORM app.set_tenant(home::text, its_user, '', '');
        UPDATE public.sessions SET revoked_at = now() WHERE workspace_id = home AND user_id = usr AND id <> keep AND revoked_at IS NULL;
        GET DIAGNOSTICS n = ROW_COUNT;
        ended := ended + n;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
    RETURN ended;
END $function$;
GRANT EXECUTE ON FUNCTION app.end_user_sessions(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.ended_access(callers jsonb)
 RETURNS TABLE(n integer, state text, detail text)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
    c    record;
    said text;
BEGIN
    FOR c IN SELECT * FROM jsonb_to_recordset(callers) AS caller(n integer, session uuid, "user" uuid, key uuid, home uuid, workspace uuid,
                                                                 roles text[], may text, deleted boolean, without_factor boolean,
                                                                 end_user uuid, bot uuid) LOOP
        BEGIN
            IF c.end_user IS NOT NULL THEN
                PERFORM app.enter_end_user(c.end_user, c.key, c.bot, c.workspace, c.roles, c.may);
            ELSIF c.key IS NOT NULL THEN
                PERFORM app.enter_key(c.key, c.workspace, c.roles, c.may);
            ELSIF c.home IS NULL THEN
                PERFORM app.enter(c.session, c."user", c.workspace, c.roles, c.deleted);
            ELSE
                PERFORM app.enter(c.session, c."user", c.home, c.workspace, c.roles, c.deleted, false, coalesce(c.without_factor, true));
            END IF;
        EXCEPTION WHEN OTHERS THEN
            IF SQLSTATE NOT LIKE 'PY%' THEN
                RAISE;
            END IF;
            GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
            RETURN QUERY SELECT c.n, SQLSTATE, said;
        END;
    END LOOP;
    PERFORM app.set_tenant('', '', '', '', '');
END $function$;
GRANT EXECUTE ON FUNCTION app.ended_access(jsonb) TO parley_app;

CREATE OR REPLACE FUNCTION app.enter(session uuid, usr uuid, workspace uuid)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    alive boolean;
    role  text;
BEGIN
    SELECT s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now(), m.role
      INTO alive, role
      FROM public.sessions s
      LEFT JOIN public.workspace_members m ON m.workspace_id = workspace AND m.user_id = s.user_id
     WHERE s.id = session AND s.user_id = usr;
    IF alive IS NOT TRUE THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'PY401';
    END IF;
    IF role IS NULL THEN
        RAISE EXCEPTION 'not a member of this workspace' USING ERRCODE = 'PY403';
    END IF;
    PERFORM set_config('app.workspace_id', workspace::text, true), set_config('app.user_id', usr::text, true);
    RETURN role;
END $function$;
GRANT EXECUTE ON FUNCTION app.enter(uuid,uuid,uuid) TO parley_app;
ALTER FUNCTION app.enter(uuid,uuid,uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.enter(session uuid, usr uuid, workspace uuid, roles text[], deleted boolean)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    alive boolean;
    role  text;
    gone  boolean;
BEGIN
    SELECT s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now(), m.role, w.deleted_at IS NOT NULL
      INTO alive, role, gone
      FROM public.sessions s
      LEFT JOIN public.workspace_members m ON m.workspace_id = workspace AND m.user_id = s.user_id
      LEFT JOIN public.workspaces w ON w.id = m.workspace_id
     WHERE s.id = session AND s.user_id = usr;
    IF alive IS NOT TRUE THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'PY401';
    END IF;
    IF role IS NULL THEN
        RAISE EXCEPTION 'not a member of this workspace' USING ERRCODE = 'PY403';
    END IF;
    IF gone AND NOT deleted THEN
        RAISE EXCEPTION 'the workspace is deleted' USING ERRCODE = 'PY410';
    END IF;
    IF cardinality(roles) > 0 AND role <> ALL (roles) THEN
        RAISE EXCEPTION 'the role does not allow this' USING ERRCODE = 'PYROL', DETAIL = role;
    END IF;
    PERFORM set_config('app.workspace_id', workspace::text, true), set_config('app.user_id', usr::text, true);
    RETURN role;
END $function$;
GRANT EXECUTE ON FUNCTION app.enter(uuid,uuid,uuid,text[],boolean) TO parley_app;
ALTER FUNCTION app.enter(uuid,uuid,uuid,text[],boolean) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.enter(session uuid, usr uuid, home uuid, workspace uuid, roles text[], deleted boolean)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    alive boolean;
    role  text;
    gone  boolean;
BEGIN
    SELECT s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now(), m.role, w.deleted_at IS NOT NULL
      INTO alive, role, gone
      FROM public.sessions s
      LEFT JOIN public.workspace_members m ON m.workspace_id = workspace AND m.user_id = s.user_id
      LEFT JOIN public.workspaces w ON w.id = m.workspace_id
     WHERE s.workspace_id = home AND s.id = session AND s.user_id = usr;
    IF alive IS NOT TRUE THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'PY401';
    END IF;
    IF role IS NULL THEN
        RAISE EXCEPTION 'not a member of this workspace' USING ERRCODE = 'PY403';
    END IF;
    IF gone AND NOT deleted THEN
        RAISE EXCEPTION 'the workspace is deleted' USING ERRCODE = 'PY410';
    END IF;
    IF cardinality(roles) > 0 AND role <> ALL (roles) THEN
        RAISE EXCEPTION 'the role does not allow this' USING ERRCODE = 'PYROL', DETAIL = role;
    END IF;
    PERFORM app.set_tenant(workspace::text, usr::text, '', '');
    RETURN role;
END $function$;
GRANT EXECUTE ON FUNCTION app.enter(uuid,uuid,uuid,uuid,text[],boolean) TO parley_app;
ALTER FUNCTION app.enter(uuid,uuid,uuid,uuid,text[],boolean) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.enter(session uuid, usr uuid, home uuid, workspace uuid, roles text[], deleted boolean, fresh boolean, without_factor boolean)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    alive  boolean;
    role   text;
    gone   boolean;
    demand boolean;
    recent boolean;
    factor boolean;
BEGIN
    SELECT s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now(), m.role, w.deleted_at IS NOT NULL,
           w.second_factor AND NOT without_factor,
           coalesce(s.authenticated_at, s.created_at) > now() - interval '10 minutes' AND s.amr && ARRAY['otp', 'recovery']
      INTO alive, role, gone, demand, recent
      FROM public.sessions s
      LEFT JOIN public.workspace_members m ON m.workspace_id = workspace AND m.user_id = s.user_id
      LEFT JOIN public.workspaces w ON w.id = m.workspace_id
     WHERE s.workspace_id = home AND s.id = session AND s.user_id = usr;
    IF alive IS NOT TRUE THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'PY401';
    END IF;
    IF role IS NULL THEN
        RAISE EXCEPTION 'not a member of this workspace' USING ERRCODE = 'PY403';
    END IF;
    IF gone AND NOT deleted THEN
        RAISE EXCEPTION 'the workspace is deleted' USING ERRCODE = 'PY410';
    END IF;
    IF cardinality(roles) > 0 AND role <> ALL (roles) THEN
        RAISE EXCEPTION 'the role does not allow this' USING ERRCODE = 'PYROL', DETAIL = role;
    END IF;
    IF demand OR fresh AND NOT recent THEN
        factor := EXISTS (SELECT FROM public.account_totp f WHERE f.user_id = usr AND f.confirmed_at IS NOT NULL);
        IF demand AND NOT factor THEN
            RAISE EXCEPTION 'the workspace demands a second factor' USING ERRCODE = 'PY2FA';
        END IF;
        IF fresh AND NOT recent AND factor THEN
            RAISE EXCEPTION 'the authentication is too old' USING ERRCODE = 'PYREA';
        END IF;
    END IF;
    PERFORM app.set_tenant(workspace::text, usr::text, '', '');
    RETURN role;
END $function$;
GRANT EXECUTE ON FUNCTION app.enter(uuid,uuid,uuid,uuid,text[],boolean,boolean,boolean) TO parley_app;
ALTER FUNCTION app.enter(uuid,uuid,uuid,uuid,text[],boolean,boolean,boolean) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.enter_account(session uuid, usr uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF NOT EXISTS (SELECT FROM public.account_sessions s
                    WHERE s.user_id = usr AND s.id = session
                      AND s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now()) THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'PY401';
    END IF;
    PERFORM app.set_tenant('', usr::text, '', '');
END $function$;
GRANT EXECUTE ON FUNCTION app.enter_account(uuid,uuid) TO parley_app;
ALTER FUNCTION app.enter_account(uuid,uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.enter_account(session uuid, usr uuid, fresh boolean)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    recent boolean;
BEGIN
    SELECT coalesce(s.authenticated_at, s.created_at) > now() - interval '10 minutes' AND s.amr && ARRAY['otp', 'recovery'] INTO recent
      FROM public.account_sessions s
     WHERE s.user_id = usr AND s.id = session AND s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now();
    IF recent IS NULL THEN
        RAISE EXCEPTION 'the session has ended' USING ERRCODE = 'PY401';
    END IF;
    IF fresh AND NOT recent AND EXISTS (SELECT FROM public.account_totp f WHERE f.user_id = usr AND f.confirmed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the authentication is too old' USING ERRCODE = 'PYREA';
    END IF;
    PERFORM app.set_tenant('', usr::text, '', '');
END $function$;
GRANT EXECUTE ON FUNCTION app.enter_account(uuid,uuid,boolean) TO parley_app;
ALTER FUNCTION app.enter_account(uuid,uuid,boolean) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.enter_end_user(end_user uuid, key uuid, bot uuid, workspace uuid, roles text[], may text)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    gone boolean;
BEGIN
    SELECT w.deleted_at IS NOT NULL INTO gone
      FROM public.end_users e
      JOIN public.api_keys k ON k.workspace_id = e.workspace_id AND k.id = key
      JOIN public.workspaces w ON w.id = e.workspace_id
      JOIN public.workspace_members m ON m.workspace_id = k.workspace_id AND m.user_id = coalesce(k.responsible_id, k.created_by)
     WHERE e.workspace_id = workspace AND e.id = end_user AND e.revoked_at IS NULL
       AND k.role = 'embed' AND k.revoked_at IS NULL AND k.suspended_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AND m.role <> 'viewer';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the end user or the key of its token has ended' USING ERRCODE = 'PY401';
    END IF;
    IF gone THEN
        RAISE EXCEPTION 'the workspace is deleted' USING ERRCODE = 'PY410';
    END IF;
    IF may <> 'any' THEN
        RAISE EXCEPTION 'not for this API key' USING ERRCODE = 'PYKEY', DETAIL = 'end_user';
    END IF;
    IF cardinality(roles) > 0 AND 'end_user' <> ALL (roles) THEN
        RAISE EXCEPTION 'the role does not allow this' USING ERRCODE = 'PYROL', DETAIL = 'end_user';
    END IF;
    PERFORM app.set_tenant(workspace::text, end_user::text, 'end_user', ARRAY[bot]::text, end_user::text);
    IF NOT EXISTS (SELECT FROM public.bots b WHERE b.workspace_id = workspace AND b.id = bot AND b.deleted_at IS NULL) THEN
        RAISE EXCEPTION 'the bot of the token is deleted' USING ERRCODE = 'PY401';
    END IF;
    RETURN 'end_user';
END $function$;
GRANT EXECUTE ON FUNCTION app.enter_end_user(uuid,uuid,uuid,uuid,text[],text) TO parley_app;
ALTER FUNCTION app.enter_end_user(uuid,uuid,uuid,uuid,text[],text) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.enter_key(key uuid, workspace uuid, roles text[], may text)
 RETURNS text
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    its_role text;
    its_bots uuid[];
    gone     boolean;
    stopped  boolean;
BEGIN
    SELECT k.role, k.bot_ids, w.deleted_at IS NOT NULL, k.suspended_at IS NOT NULL OR m.role IS NULL OR m.role = 'viewer' AND k.role <> 'viewer'
      INTO its_role, its_bots, gone, stopped
      FROM public.api_keys k
      JOIN public.workspaces w ON w.id = k.workspace_id
      LEFT JOIN public.workspace_members m ON m.workspace_id = k.workspace_id AND m.user_id = coalesce(k.responsible_id, k.created_by)
     WHERE k.workspace_id = workspace AND k.id = key AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the API key is revoked or has expired' USING ERRCODE = 'PY401';
    END IF;
    IF gone THEN
        RAISE EXCEPTION 'the workspace is deleted' USING ERRCODE = 'PY410';
    END IF;
    IF stopped THEN
        RAISE EXCEPTION 'the API key is suspended' USING ERRCODE = 'PY401', DETAIL = 'suspended';
    END IF;
    IF may NOT IN ('any', 'whole') OR may = 'whole' AND its_bots IS NOT NULL THEN
        RAISE EXCEPTION 'not for this API key' USING ERRCODE = 'PYKEY', DETAIL = its_role;
    END IF;
    IF cardinality(roles) > 0 AND its_role <> ALL (roles) THEN
        RAISE EXCEPTION 'the role does not allow this' USING ERRCODE = 'PYROL', DETAIL = its_role;
    END IF;
    PERFORM app.set_tenant(workspace::text, key::text, its_role, coalesce(its_bots::text, ''), CASE WHEN its_role IN ('editor', 'viewer') THEN '' ELSE key::text END);
    RETURN its_role;
END $function$;
GRANT EXECUTE ON FUNCTION app.enter_key(uuid,uuid,text[],text) TO parley_app;
ALTER FUNCTION app.enter_key(uuid,uuid,text[],text) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.erase_bot(bot uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
BEGIN
    UPDATE public.bot_versions v SET instruction = '', settings = '{}', note = '' WHERE v.workspace_id = workspace AND v.bot_id = bot;
    UPDATE public.operations o SET body = NULL
      FROM public.audit_log a
     WHERE a.workspace_id = workspace AND a.resource_id = bot
       AND o.workspace_id = workspace AND o.actor_id = coalesce(a.user_id, a.api_key_id) AND o.id = a.operation_id AND o.finished_at IS NOT NULL AND o.body IS NOT NULL;
END $function$;
GRANT EXECUTE ON FUNCTION app.erase_bot(uuid) TO parley_app;
ALTER FUNCTION app.erase_bot(uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.erase_end_user(end_user uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
BEGIN
    UPDATE public.operations o SET body = NULL
     WHERE o.workspace_id = workspace AND o.actor_id = end_user AND o.finished_at IS NOT NULL AND o.body IS NOT NULL;
    UPDATE public.operations o SET body = NULL
      FROM public.audit_log a
     WHERE a.workspace_id = workspace AND a.resource_id = end_user
       AND o.workspace_id = workspace AND o.actor_id = coalesce(a.user_id, a.api_key_id) AND o.id = a.operation_id AND o.finished_at IS NOT NULL AND o.body IS NOT NULL;
END $function$;
GRANT EXECUTE ON FUNCTION app.erase_end_user(uuid) TO parley_app;
ALTER FUNCTION app.erase_end_user(uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.erase_message(message uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    said      record;
BEGIN
    SELECT m.turn_id, m.role INTO said FROM public.messages m WHERE m.workspace_id = workspace AND m.id = message;
    PERFORM app.erase_turns(ARRAY[said.turn_id]);
    DELETE FROM public.message_attachments a WHERE a.workspace_id = workspace AND a.turn_id = said.turn_id AND said.role = 'user';
    UPDATE public.messages m SET content = '', citations = NULL, erased_at = now()
     WHERE m.workspace_id = workspace AND (m.id = message OR said.role = 'user' AND m.turn_id = said.turn_id) AND m.erased_at IS NULL;
    UPDATE public.llm_turns l
       SET status = CASE l.status WHEN 'failed' THEN 'cancelled' ELSE l.status END, error = NULL, error_code = NULL, error_message = NULL, error_details = NULL,
           request = NULL, variables = NULL
     WHERE l.workspace_id = workspace AND l.id = said.turn_id AND l.status <> 'running';
END $function$;
GRANT EXECUTE ON FUNCTION app.erase_message(uuid) TO parley_app;
ALTER FUNCTION app.erase_message(uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.erase_thread(thread uuid, max_turns integer)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    turns     uuid[];
BEGIN
    PERFORM FROM public.threads t WHERE t.workspace_id = workspace AND t.id = thread AND t.deleted_at IS NOT NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    turns := ARRAY(SELECT l.id FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.thread_id = thread ORDER BY l.id LIMIT max_turns);
    PERFORM app.erase_turns(turns);
    DELETE FROM public.message_attachments a WHERE a.workspace_id = workspace AND a.turn_id = ANY (turns);
    DELETE FROM public.messages m WHERE m.workspace_id = workspace AND m.turn_id = ANY (turns);
    DELETE FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.id = ANY (turns);
    IF cardinality(turns) = max_turns THEN
        RETURN true;
    END IF;
    UPDATE public.operations o SET body = NULL -- that have its title and metadata
      FROM public.audit_log a
     WHERE a.workspace_id = workspace AND a.resource_id = thread
       AND o.workspace_id = workspace AND o.actor_id = coalesce(app.end_user_of(a.changes), a.user_id, a.api_key_id) AND o.id = a.operation_id AND o.finished_at IS NOT NULL AND o.body IS NOT NULL;
    DELETE FROM public.message_feedback f WHERE f.workspace_id = workspace AND f.thread_id = thread;
    DELETE FROM public.messages m WHERE m.workspace_id = workspace AND m.thread_id = thread;
    DELETE FROM public.threads t WHERE t.workspace_id = workspace AND t.id = thread;
    RETURN false;
END $function$;
GRANT EXECUTE ON FUNCTION app.erase_thread(uuid,integer) TO parley_app;
ALTER FUNCTION app.erase_thread(uuid,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.erase_turns(turns uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    t         record;
    first_id  uuid; -- of the events from the time of the turn
    last_id   uuid;
BEGIN
    PERFORM FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.id = ANY (turns) ORDER BY l.id FOR UPDATE;
    PERFORM FROM public.messages m WHERE m.workspace_id = workspace AND m.turn_id = ANY (turns) ORDER BY m.id FOR UPDATE;
    DELETE FROM public.message_feedback f USING public.messages m
     WHERE m.workspace_id = workspace AND m.turn_id = ANY (turns) AND f.workspace_id = workspace AND f.thread_id = m.thread_id AND f.seq = m.seq;
    DELETE FROM public.turn_events e WHERE e.workspace_id = workspace AND e.turn_id = ANY (turns);
    DELETE FROM public.retrievals r WHERE r.workspace_id = workspace AND r.turn_id = ANY (turns);
    DELETE FROM public.tool_calls c WHERE c.workspace_id = workspace AND c.turn_id = ANY (turns);
    DELETE FROM public.retrieved_documents r WHERE r.workspace_id = workspace AND r.turn_id = ANY (turns);

    UPDATE public.operations o SET body = NULL, finished_at = coalesce(o.finished_at, now()), status = coalesce(o.status, 404)
      FROM public.llm_turns l
     WHERE l.workspace_id = workspace AND l.id = ANY (turns) AND o.workspace_id = workspace AND o.actor_id = l.actor_id AND o.id = l.operation_id;
    UPDATE public.operations o SET body = NULL -- of other operations on these turns, and of ratings of their messages
      FROM public.audit_log a
     WHERE a.workspace_id = workspace AND a.resource_id IN (
               SELECT l.thread_id FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.id = ANY (turns)
                UNION ALL
               SELECT m.id FROM public.messages m WHERE m.workspace_id = workspace AND m.turn_id = ANY (turns))
       AND (a.resource_type = 'message' OR a.changes ->> 'turn_id' = ANY (turns::text[]))
       AND o.workspace_id = workspace AND o.actor_id = coalesce(app.end_user_of(a.changes), a.user_id, a.api_key_id) AND o.id = a.operation_id AND o.body IS NOT NULL;

    FOR t IN
        SELECT l.id::text AS id, l.operation_id::text AS operation, l.created_at, coalesce(l.finished_at, now()) AS ended
          FROM public.llm_turns l WHERE l.workspace_id = workspace AND l.id = ANY (turns)
    LOOP
        first_id := (lpad(to_hex(floor(extract(epoch FROM t.created_at - interval '1 minute') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
        last_id := (lpad(to_hex(floor(extract(epoch FROM t.ended + interval '1 minute') * 1000)::bigint), 12, '0') || repeat('f', 20))::uuid;
        UPDATE public.webhook_deliveries d
           SET erased_at = now(), body = CASE d.body WHEN 'null' THEN 'null' ELSE app.without_texts(d.body) END
         WHERE d.workspace_id = workspace AND d.event_id BETWEEN first_id AND last_id AND d.erased_at IS NULL
           AND (strpos(d.body, t.id) > 0 OR EXISTS (
               SELECT FROM public.event_bodies b WHERE b.workspace_id = workspace AND b.event_id = d.event_id
                  AND (strpos(b.body, t.id) > 0 OR strpos(b.body, t.operation) > 0)));
        UPDATE public.webhook_attempts a SET response = ''
          FROM public.webhook_deliveries d
         WHERE d.workspace_id = workspace AND d.event_id BETWEEN first_id AND last_id AND d.erased_at IS NOT NULL
           AND a.workspace_id = workspace AND a.delivery_id = d.id AND a.response <> '';
        UPDATE public.event_bodies b SET body = app.without_texts(b.body)
         WHERE b.workspace_id = workspace AND b.event_id BETWEEN first_id AND last_id AND (strpos(b.body, t.id) > 0 OR strpos(b.body, t.operation) > 0);
    END LOOP;

    -- A message that was received stays known by the id of its sender, so that it is not taken once more.
    UPDATE public.webhook_events e
       SET payload = '{}', body = NULL, conversation_id = NULL, thread_id = NULL, turn_id = NULL,
           status = CASE e.status WHEN 'received' THEN 'ignored' ELSE e.status END
     WHERE e.workspace_id = workspace AND e.turn_id = ANY (turns);
    UPDATE public.webhook_events e -- its turn failed, and its job waits or was given up
       SET payload = '{}', body = NULL, conversation_id = NULL, status = CASE e.status WHEN 'received' THEN 'ignored' ELSE e.status END
      FROM (SELECT l.operation_id, j.payload ->> 'event_id' AS event
              FROM public.llm_turns l JOIN public.job_queue j ON j.workspace_id = workspace AND j.kind = 'webhook.answer' AND j.key = l.operation_id::text
             WHERE l.workspace_id = workspace AND l.id = ANY (turns)
             UNION ALL
            SELECT l.operation_id, d.payload ->> 'event_id'
              FROM public.llm_turns l JOIN public.dead_letter_queue d ON d.workspace_id = workspace AND d.kind = 'webhook.answer' AND d.key = l.operation_id::text
             WHERE l.workspace_id = workspace AND l.id = ANY (turns)) waiting
     WHERE e.workspace_id = workspace AND e.id = waiting.event::uuid AND e.operation_id = waiting.operation_id;
    UPDATE public.job_queue j SET errors = '[]'
      FROM public.llm_turns l
     WHERE l.workspace_id = workspace AND l.id = ANY (turns)
       AND j.workspace_id = workspace AND j.kind = 'webhook.answer' AND j.key = l.operation_id::text AND j.errors <> '[]';
    DELETE FROM public.dead_letter_queue d
     USING public.llm_turns l
     WHERE l.workspace_id = workspace AND l.id = ANY (turns)
       AND d.workspace_id = workspace AND d.kind = 'webhook.answer' AND d.key = l.operation_id::text;
END $function$;
ALTER FUNCTION app.erase_turns(uuid[]) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.expire_account_events(most integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    removed integer;
BEGIN
    WITH old AS (
        SELECT e.user_id, e.id FROM public.account_events e WHERE e.created_at < now() - interval '400 days' LIMIT most
    )
    DELETE FROM public.account_events e USING old WHERE (e.user_id, e.id) = (old.user_id, old.id);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $function$;
GRANT EXECUTE ON FUNCTION app.expire_account_events(integer) TO parley_app;
ALTER FUNCTION app.expire_account_events(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.expire_account_links(max_rows integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.account_links l USING (
        SELECT o.user_id, o.purpose FROM public.account_links o WHERE o.expires_at < now() LIMIT max_rows
    ) old WHERE l.user_id = old.user_id AND l.purpose = old.purpose;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $function$;
GRANT EXECUTE ON FUNCTION app.expire_account_links(integer) TO parley_app;
ALTER FUNCTION app.expire_account_links(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.expire_account_tickets(max_rows integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.account_tickets t USING (
        SELECT o.user_id, o.token_hash FROM public.account_tickets o WHERE o.expires_at < now() LIMIT max_rows
    ) old WHERE t.user_id = old.user_id AND t.token_hash = old.token_hash;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $function$;
GRANT EXECUTE ON FUNCTION app.expire_account_tickets(integer) TO parley_app;
ALTER FUNCTION app.expire_account_tickets(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.expire_jobs(most integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    removed integer := 0;
    n       integer;
BEGIN
    WITH old AS (
        SELECT j.workspace_id, j.id FROM public.job_queue j
         WHERE j.created_at < now() - interval '7 days' AND j.status = 'done' AND j.finished_at < now() - interval '7 days'
         LIMIT most FOR UPDATE SKIP LOCKED
    )
    DELETE FROM public.job_queue j USING old WHERE (j.workspace_id, j.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS n = ROW_COUNT;
    removed := removed + n;
    WITH old AS (
        SELECT d.workspace_id, d.id FROM public.dead_letter_queue d WHERE d.created_at < now() - interval '90 days' LIMIT most
    )
    DELETE FROM public.dead_letter_queue d USING old WHERE (d.workspace_id, d.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS n = ROW_COUNT;
    removed := removed + n;
    WITH old AS (
        SELECT t.workspace_id, t.kind, t.target FROM public.job_targets t WHERE t.until < now() LIMIT most
    )
    DELETE FROM public.job_targets t USING old
     WHERE (t.workspace_id, t.kind, t.target) = (old.workspace_id, old.kind, old.target) AND t.until < now();
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN removed + n;
END $function$;
GRANT EXECUTE ON FUNCTION app.expire_jobs(integer) TO parley_app;
ALTER FUNCTION app.expire_jobs(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.expire_operations(most integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    due    timestamptz := now() - interval '7 days 1 hour';
    mark   timestamptz;
    next   timestamptz;
    passed integer := 0;
    buried integer;
BEGIN
    SELECT u.answers_emptied_to INTO mark FROM public.upkeep u FOR UPDATE SKIP LOCKED; -- not found: another process is at it
    IF FOUND THEN
        IF mark > due THEN
            mark := due;
            UPDATE public.upkeep SET answers_emptied_to = due;
        END IF;
        SELECT max(old.created_at), count(*) INTO next, passed FROM (
            SELECT o.created_at FROM public.operations o
             WHERE o.created_at > mark AND o.created_at < due
             ORDER BY o.created_at LIMIT most) old;
        IF passed > 0 THEN
            UPDATE public.operations o SET body = NULL, content_type = NULL, location = NULL, etag = NULL
             WHERE o.created_at > mark AND o.created_at <= next AND o.body IS NOT NULL;
            UPDATE public.upkeep SET answers_emptied_to = next;
        END IF;
    ELSIF NOT EXISTS (SELECT FROM public.upkeep) THEN
        RAISE EXCEPTION 'the table upkeep has lost its row: INSERT INTO upkeep DEFAULT VALUES';
    END IF;
    WITH old AS (
        SELECT o.workspace_id, o.actor_id, o.id FROM public.operations o
         WHERE o.created_at < now() - interval '97 days' ORDER BY o.created_at LIMIT most FOR UPDATE SKIP LOCKED
    )
    DELETE FROM public.operations o USING old WHERE (o.workspace_id, o.actor_id, o.id) = (old.workspace_id, old.actor_id, old.id);
    GET DIAGNOSTICS buried = ROW_COUNT;
    RETURN passed + buried;
END $function$;
GRANT EXECUTE ON FUNCTION app.expire_operations(integer) TO parley_app;
ALTER FUNCTION app.expire_operations(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.expire_sealed_answers()
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    WITH emptied AS (
        UPDATE public.operations SET body = NULL, content_type = NULL, location = NULL, etag = NULL, sealed = false
         WHERE sealed AND finished_at < now() - interval '1 hour'
     RETURNING 1
    )
    SELECT count(*)::integer FROM emptied
$function$;
GRANT EXECUTE ON FUNCTION app.expire_sealed_answers() TO parley_app;
ALTER FUNCTION app.expire_sealed_answers() OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.expire_sessions(most integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    removed integer;
    without integer;
BEGIN
    WITH old AS (
        SELECT s.workspace_id, s.id FROM public.sessions s
         WHERE s.created_at < now() - interval '30 days'
           AND app.session_end(s.revoked_at, s.idle_expires_at, s.expires_at) < now() - interval '30 days'
         LIMIT most
    )
    DELETE FROM public.sessions s USING old WHERE (s.workspace_id, s.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS removed = ROW_COUNT;
    WITH old AS (
        SELECT s.user_id, s.id FROM public.account_sessions s
         WHERE app.session_end(s.revoked_at, s.idle_expires_at, s.expires_at) < now() - interval '30 days'
         LIMIT most - removed
    )
    DELETE FROM public.account_sessions s USING old WHERE (s.user_id, s.id) = (old.user_id, old.id);
    GET DIAGNOSTICS without = ROW_COUNT;
    RETURN removed + without;
END $function$;
GRANT EXECUTE ON FUNCTION app.expire_sessions(integer) TO parley_app;
ALTER FUNCTION app.expire_sessions(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.expire_sign_ins(max_rows integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    removed integer;
BEGIN
    DELETE FROM public.sign_ins s USING (
        SELECT o.state_hash FROM public.sign_ins o WHERE o.expires_at < now() LIMIT max_rows
    ) old WHERE s.state_hash = old.state_hash;
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $function$;
GRANT EXECUTE ON FUNCTION app.expire_sign_ins(integer) TO parley_app;
ALTER FUNCTION app.expire_sign_ins(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.expire_turn_events(most integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    removed integer;
BEGIN
    WITH old AS (
        SELECT e.workspace_id, e.turn_id, e.attempt, e.first FROM public.turn_events e
         WHERE e.created_at < now() - interval '25 hours' LIMIT most
    )
    DELETE FROM public.turn_events e
     USING old WHERE (e.workspace_id, e.turn_id, e.attempt, e.first) = (old.workspace_id, old.turn_id, old.attempt, old.first);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END $function$;
GRANT EXECUTE ON FUNCTION app.expire_turn_events(integer) TO parley_app;
ALTER FUNCTION app.expire_turn_events(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.expire_webhooks(most integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    removed integer := 0;
    n       integer;
BEGIN
    WITH old AS (
        SELECT d.workspace_id, d.id FROM public.webhook_deliveries d
         WHERE d.created_at < now() - interval '30 days' AND d.finished_at < now() - interval '30 days' LIMIT most
    )
    DELETE FROM public.webhook_deliveries d USING old
     WHERE (d.workspace_id, d.id) = (old.workspace_id, old.id) AND d.finished_at < now() - interval '30 days'; -- not one that is retried now
    GET DIAGNOSTICS n = ROW_COUNT;
    removed := removed + n;
    WITH old AS (
        SELECT b.workspace_id, b.event_id FROM public.event_bodies b
         WHERE b.created_at < now() - interval '30 days'
           AND NOT EXISTS (SELECT FROM public.webhook_deliveries d WHERE d.workspace_id = b.workspace_id AND d.event_id = b.event_id)
         LIMIT most
    )
    DELETE FROM public.event_bodies b USING old WHERE (b.workspace_id, b.event_id) = (old.workspace_id, old.event_id);
    GET DIAGNOSTICS n = ROW_COUNT;
    removed := removed + n;
    WITH old AS (
        SELECT e.workspace_id, e.id FROM public.webhook_events e WHERE e.received_at < now() - interval '90 days' LIMIT most
    )
    DELETE FROM public.webhook_events e USING old WHERE (e.workspace_id, e.id) = (old.workspace_id, old.id);
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN removed + n;
END $function$;
GRANT EXECUTE ON FUNCTION app.expire_webhooks(integer) TO parley_app;
ALTER FUNCTION app.expire_webhooks(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.extend_jobs(workspaces uuid[], ids uuid[], attempts integer[], lease_seconds double precision)
 RETURNS TABLE(id uuid, attempt integer)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    UPDATE public.job_queue j SET lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
      FROM unnest(workspaces, ids, attempts) AS held(workspace_id, id, attempt)
     WHERE j.workspace_id = held.workspace_id AND j.id = held.id AND j.attempt = held.attempt AND j.status = 'running'
 RETURNING j.id, j.attempt
$function$;
GRANT EXECUTE ON FUNCTION app.extend_jobs(uuid[],uuid[],integer[],double precision) TO parley_app;
ALTER FUNCTION app.extend_jobs(uuid[],uuid[],integer[],double precision) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.fail_login(counter bytea, account bytea, begun timestamp with time zone)
 RETURNS double precision
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    wait double precision;
BEGIN
    IF account IS NOT NULL THEN
        INSERT INTO public.account_failures (account_hash, failures, blocked_until) VALUES (account, 0, now()) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM public.account_failures f WHERE f.account_hash = account FOR UPDATE;
    END IF;
    PERFORM 1 FROM public.login_attempts a WHERE a.address_hash = counter FOR UPDATE;
    wait := app.blocked_since(counter, account, begun);
    IF wait > 0 THEN
        RETURN wait;
    END IF;
    wait := app.begin_login(counter);
    IF wait = 0 AND account IS NOT NULL AND (SELECT a.failures FROM public.login_attempts a WHERE a.address_hash = counter) <= 10 THEN
        UPDATE public.account_failures f
           SET failures = CASE WHEN f.updated_at < now() - interval '1 day' THEN 1 ELSE f.failures + 1 END,
               blocked_until = clock_timestamp() + CASE WHEN f.failures < 100 OR f.updated_at < now() - interval '1 day' THEN interval '0'
                   ELSE least(interval '1 second' * (2 ^ least(f.failures - 99, 10)), interval '5 minutes') END,
               updated_at = clock_timestamp()
         WHERE f.account_hash = account;
    END IF;
    RETURN wait;
END $function$;
GRANT EXECUTE ON FUNCTION app.fail_login(bytea,bytea,timestamp with time zone) TO parley_app;
ALTER FUNCTION app.fail_login(bytea,bytea,timestamp with time zone) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_account_link(its_purpose text, its_hash bytea)
 RETURNS TABLE(user_id uuid, address text, expires_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT l.user_id, l.address, l.expires_at FROM public.account_links l WHERE l.token_hash = its_hash AND l.purpose = its_purpose;
$function$;
GRANT EXECUTE ON FUNCTION app.find_account_link(text,bytea) TO parley_app;
ALTER FUNCTION app.find_account_link(text,bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_api_key(print bytea)
 RETURNS TABLE(workspace_id uuid, id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT k.workspace_id, k.id FROM public.api_keys k
     WHERE k.hash = print AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
$function$;
GRANT EXECUTE ON FUNCTION app.find_api_key(bytea) TO parley_app;
ALTER FUNCTION app.find_api_key(bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_identity(its_issuer text, its_subject text)
 RETURNS TABLE(user_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT i.user_id FROM public.account_identities i WHERE i.issuer = its_issuer AND i.subject = its_subject;
$function$;
GRANT EXECUTE ON FUNCTION app.find_identity(text,text) TO parley_app;
ALTER FUNCTION app.find_identity(text,text) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_invitation(print bytea)
 RETURNS TABLE(workspace_id uuid, id uuid, email text, role text, expires_at timestamp with time zone, accepted boolean, operation_id uuid, user_id uuid, password_hash text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT i.workspace_id, i.id, i.email, i.role, i.expires_at, i.accepted_at IS NOT NULL, i.operation_id, u.user_id, u.password_hash
      FROM public.invitations i
      JOIN public.workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
      LEFT JOIN LATERAL app.find_login(ARRAY[i.email], NULL) u ON true
     WHERE i.token_hash = print AND i.revoked_at IS NULL
$function$;
GRANT EXECUTE ON FUNCTION app.find_invitation(bytea) TO parley_app;
ALTER FUNCTION app.find_invitation(bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_login(address text)
 RETURNS TABLE(user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT u.id, u.password_hash, u.operation_id, m.workspace_id
      FROM public.users u
      JOIN public.workspace_members m ON m.user_id = u.id
     WHERE u.email = address
     ORDER BY u.verified_at IS NULL, u.shares_address, u.created_at DESC, m.created_at, m.workspace_id
     LIMIT 1
$function$;
GRANT EXECUTE ON FUNCTION app.find_login(text) TO parley_app;
ALTER FUNCTION app.find_login(text) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_login(address text, wanted uuid)
 RETURNS TABLE(user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT l.user_id, l.password_hash, l.operation_id, l.workspace_id FROM app.find_login(ARRAY[address], wanted) l;
END $function$;
GRANT EXECUTE ON FUNCTION app.find_login(text,uuid) TO parley_app;
ALTER FUNCTION app.find_login(text,uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_login(addresses text[], wanted uuid)
 RETURNS TABLE(user_id uuid, password_hash text, operation_id uuid, workspace_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT u.id, u.password_hash, u.operation_id, found.workspace_id
      FROM public.users u
      LEFT JOIN LATERAL (
           SELECT m.workspace_id
             FROM public.workspace_members m
             JOIN public.workspaces w ON w.id = m.workspace_id
            WHERE m.user_id = u.id AND (wanted IS NULL OR m.workspace_id = wanted)
            ORDER BY w.deleted_at IS NOT NULL, m.created_at, m.workspace_id
            LIMIT 1) found ON true
     WHERE u.email = ANY (addresses)
     ORDER BY u.verified_at IS NULL, array_position(addresses, u.email), u.shares_address, u.created_at DESC, u.id
     LIMIT 1
$function$;
GRANT EXECUTE ON FUNCTION app.find_login(text[],uuid) TO parley_app;
ALTER FUNCTION app.find_login(text[],uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_logins(addresses text[], wanted uuid, max_unverified integer)
 RETURNS TABLE(user_id uuid, password_hash text, operation_id uuid, verified boolean, workspace_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT u.id, u.password_hash, u.operation_id, u.verified_at IS NOT NULL, found.workspace_id
      FROM (SELECT s.*, row_number() OVER (PARTITION BY s.verified_at IS NULL
                        ORDER BY array_position(addresses, s.email), s.shares_address, s.created_at DESC, s.id) AS place
              FROM public.users s WHERE s.email = ANY (addresses)) u
      LEFT JOIN LATERAL (
           SELECT m.workspace_id
             FROM public.workspace_members m
             JOIN public.workspaces w ON w.id = m.workspace_id
            WHERE m.user_id = u.id AND (wanted IS NULL OR m.workspace_id = wanted)
            ORDER BY w.deleted_at IS NOT NULL, m.created_at, m.workspace_id
            LIMIT 1) found ON true
     WHERE u.place <= CASE WHEN u.verified_at IS NULL THEN max_unverified ELSE 1 END
     ORDER BY u.verified_at IS NULL, u.place
$function$;
GRANT EXECUTE ON FUNCTION app.find_logins(text[],uuid,integer) TO parley_app;
ALTER FUNCTION app.find_logins(text[],uuid,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_registration(address text, operation uuid)
 RETURNS TABLE(user_id uuid, password_hash text, verified boolean, workspace_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT u.id, u.password_hash, u.verified_at IS NOT NULL, found.workspace_id
      FROM public.users u
      LEFT JOIN LATERAL (
           SELECT m.workspace_id
             FROM public.workspace_members m
             JOIN public.workspaces w ON w.id = m.workspace_id
            WHERE m.user_id = u.id
            ORDER BY w.deleted_at IS NOT NULL, m.created_at, m.workspace_id
            LIMIT 1) found ON true
     WHERE u.email = address AND u.operation_id = operation
$function$;
GRANT EXECUTE ON FUNCTION app.find_registration(text,uuid) TO parley_app;
ALTER FUNCTION app.find_registration(text,uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_session(session uuid)
 RETURNS TABLE(workspace_id uuid, user_id uuid)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT s.workspace_id, s.user_id
      FROM public.sessions s
      JOIN public.workspace_members m ON m.workspace_id = s.workspace_id AND m.user_id = s.user_id
     WHERE s.id = session;
END $function$;
GRANT EXECUTE ON FUNCTION app.find_session(uuid) TO parley_app;
ALTER FUNCTION app.find_session(uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_sign_in(its_code bytea)
 RETURNS TABLE(browser_hash bytea, challenge text, claims jsonb, code_ends_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT s.browser_hash, s.challenge, s.claims, s.code_ends_at FROM public.sign_ins s WHERE s.code_hash = its_code;
$function$;
GRANT EXECUTE ON FUNCTION app.find_sign_in(bytea) TO parley_app;
ALTER FUNCTION app.find_sign_in(bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.find_webhook_endpoint(endpoint uuid)
 RETURNS TABLE(workspace_id uuid, status text, secrets jsonb)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT e.workspace_id, e.status, e.secrets
      FROM public.webhook_endpoints e
      JOIN public.workspaces w ON w.id = e.workspace_id AND w.deleted_at IS NULL
     WHERE e.id = endpoint AND e.deleted_at IS NULL;
END $function$;
GRANT EXECUTE ON FUNCTION app.find_webhook_endpoint(uuid) TO parley_app;
ALTER FUNCTION app.find_webhook_endpoint(uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.finish_sign_in(its_state bytea, its_code bytea, its_browser bytea, its_challenge text, its_claims jsonb, its_end timestamp with time zone)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    UPDATE public.sign_ins s
       SET code_hash = its_code, browser_hash = its_browser, challenge = its_challenge, claims = its_claims, code_ends_at = its_end,
           expires_at = greatest(s.expires_at, its_end)
     WHERE s.state_hash = its_state;
$function$;
GRANT EXECUTE ON FUNCTION app.finish_sign_in(bytea,bytea,bytea,text,jsonb,timestamp with time zone) TO parley_app;
ALTER FUNCTION app.finish_sign_in(bytea,bytea,bytea,text,jsonb,timestamp with time zone) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.forget_attached_text()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    new.text := NULL;
    new.cut := false;
    RETURN new;
END $function$;
GRANT EXECUTE ON FUNCTION app.forget_attached_text() TO public;

CREATE OR REPLACE FUNCTION app.forget_login_attempts()
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    DELETE FROM public.login_attempts WHERE updated_at < now() - interval '1 day' AND blocked_until < now();
    DELETE FROM public.account_failures WHERE updated_at < now() - interval '1 day' AND blocked_until < now();
    DELETE FROM public.login_networks WHERE used_at < now() - interval '180 days';
$function$;
GRANT EXECUTE ON FUNCTION app.forget_login_attempts() TO parley_app;
ALTER FUNCTION app.forget_login_attempts() OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.forget_mail_counts()
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    DELETE FROM public.mail_counts WHERE day < (now() AT TIME ZONE 'UTC')::date
$function$;
GRANT EXECUTE ON FUNCTION app.forget_mail_counts() TO parley_app;
ALTER FUNCTION app.forget_mail_counts() OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.forget_own_address()
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    usr           uuid := nullif(its_user, '')::uuid;
    home          uuid;
BEGIN
    FOREACH home IN ARRAY ARRAY(SELECT DISTINCT l.workspace_id FROM app.locate_own_invitations(NULL) l ORDER BY 1) LOOP
        PERFORM app.set_tenant(home::text, its_user, '', '');
        UPDATE public.invitations i SET email = 'deleted@account.invalid' WHERE i.workspace_id = home AND i.accepted_by = usr;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
END $function$;
GRANT EXECUTE ON FUNCTION app.forget_own_address() TO parley_app;

CREATE OR REPLACE FUNCTION app.give_back_turns(processes uuid[])
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    turns integer;
BEGIN
    UPDATE public.llm_turns t SET lease_until = now() - interval '1 ms'
     WHERE t.finished_at IS NULL AND t.lease_until >= now() AND t.process_id = ANY (processes);
    GET DIAGNOSTICS turns = ROW_COUNT;
    DELETE FROM public.turn_processes p WHERE p.id = ANY (processes);
    IF turns > 0 THEN
        PERFORM pg_notify('parley_recovery', '');
    END IF;
    RETURN turns;
END $function$;
GRANT EXECUTE ON FUNCTION app.give_back_turns(uuid[]) TO parley_app;
ALTER FUNCTION app.give_back_turns(uuid[]) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.has_member(address text)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT EXISTS (SELECT FROM public.workspace_members m
                     JOIN public.users u ON u.id = m.user_id
                    WHERE m.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND u.email = address)
$function$;
GRANT EXECUTE ON FUNCTION app.has_member(text) TO parley_app;
ALTER FUNCTION app.has_member(text) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.has_verified(people uuid[])
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT EXISTS (SELECT FROM public.users u WHERE u.id = ANY (people) AND u.verified_at IS NOT NULL)
$function$;
GRANT EXECUTE ON FUNCTION app.has_verified(uuid[]) TO parley_app;
ALTER FUNCTION app.has_verified(uuid[]) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.has_verified_sponsor(actor uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
AS $function$
DECLARE
    workspace uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    person uuid;
BEGIN
    SELECT m.user_id INTO person FROM public.workspace_members m WHERE m.workspace_id = workspace AND m.user_id = actor;
    IF person IS NULL THEN
        SELECT coalesce(k.responsible_id, k.created_by) INTO person FROM public.api_keys k WHERE k.workspace_id = workspace AND k.id = actor;
    END IF;
    IF person IS NULL THEN
        SELECT coalesce(e.responsible_id, e.created_by) INTO person FROM public.webhook_endpoints e WHERE e.workspace_id = workspace AND e.id = actor;
    END IF;
    IF person IS NOT NULL THEN
        RETURN app.has_verified(ARRAY[person]);
    END IF;
    RETURN app.has_verified(ARRAY(SELECT m.user_id FROM public.workspace_members m WHERE m.workspace_id = workspace AND m.role = 'owner'));
END $function$;
GRANT EXECUTE ON FUNCTION app.has_verified_sponsor(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.hold_end_user()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM FROM public.end_users e WHERE e.workspace_id = NEW.workspace_id AND e.id = NEW.end_user_id FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the end user has ended' USING ERRCODE = 'PY401';
    END IF;
    RETURN NEW;
END $function$;
GRANT EXECUTE ON FUNCTION app.hold_end_user() TO parley_app;

CREATE OR REPLACE FUNCTION app.installation_key(print bytea)
 RETURNS TABLE(key_print bytea, ids_from timestamp with time zone)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    INSERT INTO public.installation AS i (key_print, ids_from) VALUES (print, now())
    ON CONFLICT (singleton) DO UPDATE SET ids_from = now() + interval '24 hours' WHERE i.ids_from IS NULL;
    SELECT i.key_print, i.ids_from FROM public.installation i
$function$;
GRANT EXECUTE ON FUNCTION app.installation_key(bytea) TO parley_app;
ALTER FUNCTION app.installation_key(bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.is_first_key(print bytea)
 RETURNS boolean
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    INSERT INTO public.installation (key_print) VALUES (print) ON CONFLICT DO NOTHING;
    SELECT key_print = print FROM public.installation
$function$;
GRANT EXECUTE ON FUNCTION app.is_first_key(bytea) TO parley_app;
ALTER FUNCTION app.is_first_key(bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.keep_key_to(tab regclass, condition text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE format($policy$CREATE POLICY key_bots ON %1$s AS RESTRICTIVE TO parley_app
        USING (CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true ELSE %2$s END)$policy$, tab, condition);
END $function$;

CREATE OR REPLACE FUNCTION app.keep_to_bots(tab regclass, its_column text DEFAULT 'bot_id'::text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE format($policy$CREATE POLICY key_bots ON %1$s AS RESTRICTIVE TO parley_app
        USING (CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true
                    ELSE coalesce(%2$I = ANY (current_setting('app.bots', true)::uuid[]), false) END)
        WITH CHECK (CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true ELSE app.refuse_bot(%2$I) END)$policy$,
        tab, its_column);
END $function$;

CREATE OR REPLACE FUNCTION app.keep_to_owner(tab regclass, condition text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE format($policy$CREATE POLICY owner ON %1$s AS RESTRICTIVE TO parley_app
        USING (CASE WHEN coalesce(current_setting('app.owner', true), '') = '' THEN true ELSE coalesce(%2$s, false) END)$policy$, tab, condition);
END $function$;

CREATE OR REPLACE FUNCTION app.known_bases()
 RETURNS uuid[]
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
AS $function$
BEGIN
    RETURN ARRAY(
        SELECT DISTINCT (k.base ->> 'id')::uuid
          FROM app.bot_knowledge b
         CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(b.bases) WHEN 'array' THEN b.bases ELSE '[]' END) k(base)
         WHERE b.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
           AND b.bot_id = ANY (nullif(current_setting('app.bots', true), '')::uuid[]) AND b.status <> 'archived'
           AND k.base ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$');
END $function$;
GRANT EXECUTE ON FUNCTION app.known_bases() TO parley_app;

CREATE OR REPLACE FUNCTION app.known_key()
 RETURNS bytea
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT i.key_print FROM public.installation i
$function$;
GRANT EXECUTE ON FUNCTION app.known_key() TO parley_app;
ALTER FUNCTION app.known_key() OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.known_to_network(people uuid[], from_network bytea)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT n.user_id FROM public.login_networks n
     WHERE n.user_id = ANY (people) AND n.network = from_network AND n.used_at > now() - interval '180 days'
$function$;
GRANT EXECUTE ON FUNCTION app.known_to_network(uuid[],bytea) TO parley_app;
ALTER FUNCTION app.known_to_network(uuid[],bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.known_tools()
 RETURNS uuid[]
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
AS $function$
BEGIN
    RETURN ARRAY(
        SELECT DISTINCT (k.tool ->> 'id')::uuid
          FROM app.bot_tools b
         CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(b.tools) WHEN 'array' THEN b.tools ELSE '[]' END) k(tool)
         WHERE b.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
           AND b.bot_id = ANY (nullif(current_setting('app.bots', true), '')::uuid[]) AND b.status <> 'archived'
           AND k.tool ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$');
END $function$;
GRANT EXECUTE ON FUNCTION app.known_tools() TO parley_app;

CREATE OR REPLACE FUNCTION app.let_erase(tab regclass)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE format($policy$CREATE POLICY erase ON %s TO parley_door
        USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
        WITH CHECK (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)$policy$, tab);
END $function$;

CREATE OR REPLACE FUNCTION app.let_key_read(tab regclass, condition text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    whole text := $sql$CASE WHEN coalesce(current_setting('app.bots', true), '') = '' THEN true ELSE %s END$sql$;
BEGIN
    EXECUTE format('CREATE POLICY key_bots ON %s AS RESTRICTIVE TO parley_app USING (%s) WITH CHECK (%s)',
                   tab, format(whole, condition), format(whole, 'app.refuse_key()'));
    -- whose rows no WITH CHECK sees
    EXECUTE format('CREATE POLICY key_bots_delete ON %s AS RESTRICTIVE FOR DELETE TO parley_app USING (%s)', tab, format(whole, 'app.refuse_key()'));
END $function$;

CREATE OR REPLACE FUNCTION app.let_purge(tab regclass)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    command text;
BEGIN
    FOREACH command IN ARRAY ARRAY['DELETE', 'SELECT'] LOOP
        EXECUTE format($policy$CREATE POLICY %I ON %s FOR %s TO parley_door USING (EXISTS (
            SELECT FROM public.workspaces w WHERE w.id = workspace_id AND w.deleted_at < now() - interval '30 days'))$policy$,
            CASE command WHEN 'DELETE' THEN 'purge' ELSE 'purge_look' END, tab, command);
    END LOOP;
    EXECUTE format('GRANT DELETE, SELECT (workspace_id) ON %s TO parley_door', tab);
END $function$;

CREATE OR REPLACE FUNCTION app.level(workspace uuid, metric text)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $function$
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
        WHEN 'end_users' THEN RETURN (SELECT count(*) FROM public.end_users e WHERE e.workspace_id = workspace);
        WHEN 'tools' THEN RETURN (SELECT count(*) FROM public.tools t WHERE t.workspace_id = workspace);
        ELSE RETURN NULL;
    END CASE;
END $function$;
GRANT EXECUTE ON FUNCTION app.level(uuid,text) TO parley_app;

CREATE OR REPLACE FUNCTION app.locate_anonymous_end_users(since timestamp with time zone, before timestamp with time zone, after_at timestamp with time zone, after_id uuid, max_rows integer)
 RETURNS TABLE(workspace_id uuid, end_user_id uuid, last_token_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT e.workspace_id, e.id, e.last_token_at
      FROM public.end_users e
     WHERE e.external_id IS NULL AND e.last_token_at >= since AND e.last_token_at < before AND (e.last_token_at, e.id) > (after_at, after_id)
     ORDER BY e.last_token_at, e.id
     LIMIT max_rows
$function$;
GRANT EXECUTE ON FUNCTION app.locate_anonymous_end_users(timestamp with time zone,timestamp with time zone,timestamp with time zone,uuid,integer) TO parley_app;
ALTER FUNCTION app.locate_anonymous_end_users(timestamp with time zone,timestamp with time zone,timestamp with time zone,uuid,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_bots_with_threads(older_seconds double precision, max_rows integer)
 RETURNS TABLE(workspace_id uuid, bot_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT b.workspace_id, b.id
      FROM public.bots b
     WHERE b.threads_deleted_at < now() - older_seconds * interval '1 second'
       AND NOT EXISTS (SELECT FROM public.job_queue j
                        WHERE j.workspace_id = b.workspace_id AND j.kind = 'bot.erase_threads' AND j.status IN ('queued', 'running') AND j.key = b.id::text)
       AND NOT EXISTS (SELECT FROM public.dead_letter_queue l
                        WHERE l.workspace_id = b.workspace_id AND l.kind = 'bot.erase_threads' AND l.key = b.id::text AND l.created_at > now() - interval '1 hour')
     LIMIT max_rows
$function$;
GRANT EXECUTE ON FUNCTION app.locate_bots_with_threads(double precision,integer) TO parley_app;
ALTER FUNCTION app.locate_bots_with_threads(double precision,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_deleted_threads(older_seconds double precision, max_rows integer)
 RETURNS TABLE(workspace_id uuid, thread_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT t.workspace_id, t.id
      FROM public.threads t
     WHERE t.deleted_at < now() - older_seconds * interval '1 second'
       AND NOT EXISTS (SELECT FROM public.job_queue j
                        WHERE j.workspace_id = t.workspace_id AND j.kind = 'thread.erase' AND j.status IN ('queued', 'running') AND j.key = t.id::text)
       AND NOT EXISTS (SELECT FROM public.dead_letter_queue l
                        WHERE l.workspace_id = t.workspace_id AND l.kind = 'thread.erase' AND l.key = t.id::text AND l.created_at > now() - interval '1 hour')
     LIMIT max_rows
$function$;
GRANT EXECUTE ON FUNCTION app.locate_deleted_threads(double precision,integer) TO parley_app;
ALTER FUNCTION app.locate_deleted_threads(double precision,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_due_retention(max_rows integer)
 RETURNS TABLE(workspace_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT r.workspace_id
      FROM public.workspace_retention r JOIN public.workspaces w ON w.id = r.workspace_id
     WHERE (r.next_run_at <= now() OR r.run_started_at IS NOT NULL AND r.run_ended_at IS NULL)
       AND coalesce(r.lease_until <= now(), true) AND w.deleted_at IS NULL
     ORDER BY coalesce(r.lease_until, r.next_run_at), r.workspace_id
     LIMIT max_rows
$function$;
GRANT EXECUTE ON FUNCTION app.locate_due_retention(integer) TO parley_app;
ALTER FUNCTION app.locate_due_retention(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_endpoint(endpoint uuid)
 RETURNS uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT e.workspace_id FROM public.webhook_endpoints e WHERE e.id = endpoint
$function$;
GRANT EXECUTE ON FUNCTION app.locate_endpoint(uuid) TO parley_app;
ALTER FUNCTION app.locate_endpoint(uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_invitation(print bytea)
 RETURNS TABLE(workspace_id uuid, id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT i.workspace_id, i.id FROM public.invitations i WHERE i.token_hash = print
$function$;
GRANT EXECUTE ON FUNCTION app.locate_invitation(bytea) TO parley_app;
ALTER FUNCTION app.locate_invitation(bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_lost_jobs(most integer)
 RETURNS TABLE(workspace_id uuid, id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT j.workspace_id, j.id
      FROM public.job_queue j
     WHERE j.status = 'running' AND j.lease_until < clock_timestamp()
     ORDER BY j.lease_until
     LIMIT most
$function$;
GRANT EXECUTE ON FUNCTION app.locate_lost_jobs(integer) TO parley_app;
ALTER FUNCTION app.locate_lost_jobs(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_old_exports(max_rows integer)
 RETURNS TABLE(workspace_id uuid, id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e WHERE e.status = 'completed' AND e.expires_at < now() LIMIT max_rows)
    UNION
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e JOIN public.workspaces w ON w.id = e.workspace_id
      WHERE e.status = 'completed' AND w.deleted_at IS NOT NULL LIMIT max_rows)
    UNION
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e
      WHERE e.status = 'completed'
        AND EXISTS (SELECT FROM public.audit_log a
                     WHERE a.workspace_id = e.workspace_id AND a.created_at >= e.started_at AND a.action <> 'turn.create'
                       AND (a.action IN ('thread.delete', 'message.delete', 'file.delete', 'document.delete', 'knowledge_base.delete', 'bot.delete', 'end_user.delete')
                            OR a.action = 'retention.run' AND a.changes ->> 'threads' <> '0'))
      LIMIT max_rows)
    UNION
    (SELECT e.workspace_id, e.id FROM public.workspace_exports e
      WHERE e.status IN ('failed', 'expired') AND e.finished_at < now() - interval '30 days' LIMIT max_rows)
    LIMIT max_rows
$function$;
GRANT EXECUTE ON FUNCTION app.locate_old_exports(integer) TO parley_app;
ALTER FUNCTION app.locate_old_exports(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_old_vectors(older_seconds double precision, max_rows integer)
 RETURNS TABLE(workspace_id uuid, document_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT DISTINCT v.workspace_id, v.document_id
      FROM public.document_vectors v
     WHERE coalesce(v.removed_at, v.created_at) < now() - older_seconds * interval '1 second'
       AND (v.removed_at IS NOT NULL
            OR NOT EXISTS (SELECT FROM public.documents d
                            WHERE d.workspace_id = v.workspace_id AND d.id = v.document_id AND d.status <> 'deleting' AND v.generation IN (d.generation, d.building)))
     LIMIT max_rows
$function$;
GRANT EXECUTE ON FUNCTION app.locate_old_vectors(double precision,integer) TO parley_app;
ALTER FUNCTION app.locate_old_vectors(double precision,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_own_invitations(address text)
 RETURNS TABLE(workspace_id uuid, id uuid)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    usr uuid := nullif(current_setting('app.user_id', true), '')::uuid;
BEGIN
    RETURN QUERY SELECT i.workspace_id, i.id FROM public.invitations i WHERE i.accepted_by = usr
                 UNION
                 SELECT i.workspace_id, i.id FROM public.invitations i WHERE i.email = address
                 ORDER BY 1, 2;
END $function$;
GRANT EXECUTE ON FUNCTION app.locate_own_invitations(text) TO parley_app;
ALTER FUNCTION app.locate_own_invitations(text) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_unfinished_documents(older_seconds double precision, max_rows integer)
 RETURNS TABLE(workspace_id uuid, base_id uuid, document_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
GRANT EXECUTE ON FUNCTION app.locate_unfinished_documents(double precision,integer) TO parley_app;
ALTER FUNCTION app.locate_unfinished_documents(double precision,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_unfinished_erasures(older_seconds double precision, max_rows integer)
 RETURNS TABLE(workspace_id uuid, file_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT DISTINCT d.workspace_id, d.file_id
      FROM public.document_files d
     WHERE d.deleted_at < now() - older_seconds * interval '1 second'
       AND NOT EXISTS (SELECT FROM public.job_queue j
                        WHERE j.workspace_id = d.workspace_id AND j.kind = 'file.erase' AND j.status IN ('queued', 'running') AND j.key = d.file_id::text)
       AND NOT EXISTS (SELECT FROM public.dead_letter_queue l
                        WHERE l.workspace_id = d.workspace_id AND l.kind = 'file.erase' AND l.key = d.file_id::text AND l.created_at > now() - interval '1 hour')
     LIMIT max_rows
$function$;
GRANT EXECUTE ON FUNCTION app.locate_unfinished_erasures(double precision,integer) TO parley_app;
ALTER FUNCTION app.locate_unfinished_erasures(double precision,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.locate_unproved(older_seconds double precision, max_of_address integer, max_rows integer)
 RETURNS TABLE(user_id uuid, workspace_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT u.id, m.workspace_id
      FROM (SELECT s.id, s.created_at, row_number() OVER (PARTITION BY s.email ORDER BY s.created_at DESC, s.id) AS place
              FROM public.users s WHERE s.shares_address AND s.verified_at IS NULL) u
      LEFT JOIN public.workspace_members m ON m.user_id = u.id
      LEFT JOIN public.workspaces w ON w.id = m.workspace_id
     WHERE (u.created_at < now() - make_interval(secs => older_seconds) OR u.place > max_of_address)
       AND (m.workspace_id IS NULL OR w.deleted_at IS NULL AND NOT EXISTS (
            SELECT FROM public.workspace_members o WHERE o.workspace_id = m.workspace_id AND o.user_id <> m.user_id))
     LIMIT max_rows
$function$;
GRANT EXECUTE ON FUNCTION app.locate_unproved(double precision,integer,integer) TO parley_app;
ALTER FUNCTION app.locate_unproved(double precision,integer,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.lock_authority(workspace uuid, actor uuid, roles text[])
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
    its_role text;
BEGIN
    SELECT m.role INTO its_role FROM public.workspace_members m WHERE m.workspace_id = workspace AND m.user_id = actor FOR SHARE;
    IF FOUND THEN
        IF EXISTS (SELECT FROM public.users u WHERE u.id = actor AND u.disabled_at IS NOT NULL) THEN
            RAISE EXCEPTION 'the user is disabled' USING ERRCODE = 'PY401';
        END IF;
    ELSE
        SELECT k.role INTO its_role FROM public.api_keys k
         WHERE k.workspace_id = workspace AND k.id = actor AND k.revoked_at IS NULL AND k.suspended_at IS NULL FOR SHARE;
    END IF;
    IF its_role IS NULL THEN
        RAISE EXCEPTION 'not a member of this workspace' USING ERRCODE = 'PY403';
    END IF;
    IF cardinality(roles) > 0 AND its_role <> ALL (roles) THEN
        RAISE EXCEPTION 'the role does not allow this' USING ERRCODE = 'PYROL', DETAIL = its_role;
    END IF;
    RETURN true;
END $function$;
GRANT EXECUTE ON FUNCTION app.lock_authority(uuid,uuid,text[]) TO parley_app;

CREATE OR REPLACE FUNCTION app.login_standing(usr uuid, from_network bytea, counters bytea[], account bytea)
 RETURNS TABLE(known boolean, waits double precision[], account_wait double precision, at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT EXISTS (SELECT FROM public.login_networks n
                    WHERE n.user_id = usr AND n.network = from_network AND n.used_at > now() - interval '180 days'),
           ARRAY(SELECT greatest(coalesce(extract(epoch FROM a.blocked_until - clock_timestamp()), 0), 0)::double precision
                   FROM unnest(counters) WITH ORDINALITY c (hash, place)
                   LEFT JOIN public.login_attempts a ON a.address_hash = c.hash
                  ORDER BY c.place),
           greatest(coalesce((SELECT extract(epoch FROM f.blocked_until - clock_timestamp())
                                FROM public.account_failures f WHERE f.account_hash = account), 0), 0)::double precision,
           clock_timestamp()
$function$;
GRANT EXECUTE ON FUNCTION app.login_standing(uuid,bytea,bytea[],bytea) TO parley_app;
ALTER FUNCTION app.login_standing(uuid,bytea,bytea[],bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.lost_jobs(most integer)
 RETURNS TABLE(workspace_id uuid, id uuid, kind text, trace_id text, attempt integer, failures integer, max_attempts integer)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT j.workspace_id, j.id, j.kind, j.trace_id, j.attempt, j.failures, j.max_attempts
      FROM public.job_queue j
     WHERE j.status = 'running' AND j.lease_until < clock_timestamp()
     ORDER BY j.lease_until
     LIMIT most
$function$;
GRANT EXECUTE ON FUNCTION app.lost_jobs(integer) TO parley_app;
ALTER FUNCTION app.lost_jobs(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.make_room(workspace uuid, metric text, most bigint)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    its_limit bigint := coalesce((SELECT o.most FROM public.workspace_limits o
                                   WHERE o.workspace_id = workspace AND o.metric = make_room.metric), most);
    there     bigint;
BEGIN
    IF its_limit = 0 THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(metric || ' of ' || workspace, 0));
    there := app.level(workspace, metric);
    IF there >= its_limit THEN
        RAISE EXCEPTION 'the limit of % is reached', metric USING ERRCODE = 'PYLIM',
            DETAIL = jsonb_build_object('metric', metric, 'limit', its_limit, 'used', there, 'resets_at', NULL)::text;
    END IF;
END $function$;
GRANT EXECUTE ON FUNCTION app.make_room(uuid,text,bigint) TO parley_app;

CREATE OR REPLACE FUNCTION app.members(one uuid, after_at timestamp with time zone, after_id uuid, most integer)
 RETURNS TABLE(user_id uuid, email text, role text, joined_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT u.id, u.email, m.role, m.created_at
      FROM public.workspace_members m
      JOIN public.users u ON u.id = m.user_id
     WHERE m.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
       AND (one IS NULL OR m.user_id = one)
       AND (after_at IS NULL OR (m.created_at, m.user_id) > (after_at, after_id))
     ORDER BY m.created_at, m.user_id
     LIMIT most
$function$;
GRANT EXECUTE ON FUNCTION app.members(uuid,timestamp with time zone,uuid,integer) TO parley_app;
ALTER FUNCTION app.members(uuid,timestamp with time zone,uuid,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.memberships(after_at timestamp with time zone, after_id uuid, most integer)
 RETURNS TABLE(workspace_id uuid, name text, role text, created_at timestamp with time zone, joined_at timestamp with time zone, deleted_at timestamp with time zone)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT w.id, w.name, m.role, w.created_at, m.created_at, w.deleted_at
      FROM public.workspace_members m
      JOIN public.workspaces w ON w.id = m.workspace_id
     WHERE m.user_id = nullif(current_setting('app.user_id', true), '')::uuid
       AND (w.deleted_at IS NULL OR m.role = 'owner')
       AND (after_at IS NULL OR (m.created_at, m.workspace_id) > (after_at, after_id))
     ORDER BY m.created_at, m.workspace_id
     LIMIT most;
END $function$;
GRANT EXECUTE ON FUNCTION app.memberships(timestamp with time zone,uuid,integer) TO parley_app;
ALTER FUNCTION app.memberships(timestamp with time zone,uuid,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.merge_end_user(anonymous uuid, its_external_id text, OUT known uuid, OUT refused boolean)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    its_user  text := coalesce(current_setting('app.user_id', true), '');
    its_role  text := coalesce(current_setting('app.role', true), '');
    its_bots  text := coalesce(current_setting('app.bots', true), '');
    its_owner text := coalesce(current_setting('app.owner', true), '');
    visitor   public.end_users;
    revoked   timestamptz;
BEGIN
    SELECT * INTO visitor FROM public.end_users e WHERE e.workspace_id = workspace AND e.id = anonymous AND e.external_id IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    LOOP -- until it is there and locked: it may be deleted between the two
        INSERT INTO public.end_users (workspace_id, id, external_id, name, metadata, created_at, last_token_at)
        VALUES (workspace, app.uuid_v7(), its_external_id, visitor.name, visitor.metadata, visitor.created_at, visitor.last_token_at)
            ON CONFLICT (workspace_id, external_id) WHERE external_id IS NOT NULL DO NOTHING;
        SELECT e.id, e.revoked_at INTO known, revoked FROM public.end_users e
         WHERE e.workspace_id = workspace AND e.external_id = its_external_id FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
    END LOOP;
    refused := visitor.revoked_at IS NOT NULL OR revoked IS NOT NULL;
    IF NOT (app.describes_end_user(anonymous) AND app.describes_end_user(known)) THEN
        RAISE EXCEPTION 'an end user of other bots' USING ERRCODE = 'PYKEY', DETAIL = its_role;
    END IF;
    IF refused THEN
        RETURN;
    END IF;
    PERFORM app.set_tenant(workspace::text, its_user, its_role, its_bots, ''); -- a key that makes tokens owns no threads
    UPDATE public.message_feedback f SET user_id = known
      FROM public.threads t
     WHERE t.workspace_id = workspace AND t.owner_id = anonymous AND f.workspace_id = workspace AND f.thread_id = t.id AND f.user_id = anonymous;
    UPDATE public.threads t SET owner_id = known, end_user_id = known, created_by = CASE t.created_by WHEN anonymous THEN known ELSE t.created_by END
     WHERE t.workspace_id = workspace AND t.owner_id = anonymous;
    PERFORM app.set_tenant(workspace::text, its_user, its_role, '', ''); -- of which a key that is limited to bots sees none
    UPDATE public.files f SET owner_id = known, created_by = CASE f.created_by WHEN anonymous THEN known ELSE f.created_by END
     WHERE f.workspace_id = workspace AND f.owner_id = anonymous;
    PERFORM app.set_tenant(workspace::text, its_user, its_role, its_bots, its_owner);
    INSERT INTO public.end_user_bots (workspace_id, end_user_id, bot_id)
    SELECT workspace, known, b.bot_id FROM public.end_user_bots b WHERE b.workspace_id = workspace AND b.end_user_id = anonymous
        ON CONFLICT DO NOTHING;
    INSERT INTO public.caller_counts AS c (workspace_id, caller_id, metric, period, began_at, used)
    SELECT workspace, known, o.metric, o.period, o.began_at, o.used FROM public.caller_counts o WHERE o.workspace_id = workspace AND o.caller_id = anonymous
        ON CONFLICT (workspace_id, caller_id, metric, period) DO UPDATE
       SET used = CASE WHEN c.began_at = excluded.began_at THEN c.used + excluded.used WHEN c.began_at > excluded.began_at THEN c.used ELSE excluded.used END,
           began_at = greatest(c.began_at, excluded.began_at);
    DELETE FROM public.caller_counts c WHERE c.workspace_id = workspace AND c.caller_id = anonymous;
    DELETE FROM public.end_users e WHERE e.workspace_id = workspace AND e.id = anonymous;
    PERFORM app.erase_end_user(anonymous);
END $function$;
GRANT EXECUTE ON FUNCTION app.merge_end_user(uuid,text) TO parley_app;

CREATE OR REPLACE FUNCTION app.own_actions(before_at timestamp with time zone, before_id uuid, max_rows integer)
 RETURNS TABLE(workspace_id uuid, id uuid, created_at timestamp with time zone, action text, reason text, resource_type text, resource_id uuid, operation_id uuid, trace_id text, changes jsonb, ip inet, user_agent text)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    usr           uuid := nullif(its_user, '')::uuid;
    home          uuid;
BEGIN
    before_at := coalesce(before_at, 'infinity');
    before_id := coalesce(before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    RETURN QUERY SELECT NULL::uuid, e.id, e.created_at, e.action, e.reason, NULL::text, NULL::uuid, e.operation_id, e.trace_id, '{}'::jsonb, e.ip, e.user_agent
      FROM public.account_events e
     WHERE e.user_id = usr AND (e.created_at, e.id) < (before_at, before_id)
     ORDER BY e.created_at DESC, e.id DESC LIMIT max_rows;
    FOREACH home IN ARRAY ARRAY(SELECT app.own_workspaces()) LOOP
        PERFORM app.set_tenant(home::text, its_user, '', '');
        RETURN QUERY SELECT home, a.id, a.created_at, a.action, ''::text, a.resource_type, a.resource_id, a.operation_id, a.trace_id, a.changes, a.ip, a.user_agent
          FROM public.audit_log a
         WHERE a.workspace_id = home AND a.user_id = usr AND (a.created_at, a.id) < (before_at, before_id)
         ORDER BY a.created_at DESC, a.id DESC LIMIT max_rows;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
END $function$;
GRANT EXECUTE ON FUNCTION app.own_actions(timestamp with time zone,uuid,integer) TO parley_app;

CREATE OR REPLACE FUNCTION app.own_authenticated_sessions(before_at timestamp with time zone, before_id uuid, max_rows integer, also_ended boolean)
 RETURNS TABLE(workspace_id uuid, id uuid, rotated_at timestamp with time zone, idle_expires_at timestamp with time zone, revoked_at timestamp with time zone, created_at timestamp with time zone, ip inet, user_agent text, authenticated_at timestamp with time zone, amr text[])
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    usr           uuid := nullif(its_user, '')::uuid;
    home          uuid;
BEGIN
    RETURN QUERY SELECT NULL::uuid, s.id, s.rotated_at, s.idle_expires_at, s.revoked_at, s.created_at, s.ip, s.user_agent,
                        coalesce(s.authenticated_at, s.created_at), s.amr
      FROM public.account_sessions s
     WHERE s.user_id = usr AND (also_ended OR s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now())
       AND (before_at IS NULL OR (s.created_at, s.id) < (before_at, before_id))
     ORDER BY s.created_at DESC, s.id DESC LIMIT max_rows;
    FOREACH home IN ARRAY ARRAY(SELECT app.own_workspaces()) LOOP
        PERFORM app.set_tenant(home::text, its_user, '', '');
        RETURN QUERY SELECT home, s.id, s.rotated_at, s.idle_expires_at, s.revoked_at, s.created_at, s.ip, s.user_agent,
                            coalesce(s.authenticated_at, s.created_at), s.amr
          FROM public.sessions s
         WHERE s.workspace_id = home AND s.user_id = usr
           AND (also_ended OR s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now())
           AND (before_at IS NULL OR (s.created_at, s.id) < (before_at, before_id))
         ORDER BY s.created_at DESC, s.id DESC LIMIT max_rows;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
END $function$;
GRANT EXECUTE ON FUNCTION app.own_authenticated_sessions(timestamp with time zone,uuid,integer,boolean) TO parley_app;

CREATE OR REPLACE FUNCTION app.own_invitations(address text, max_rows integer)
 RETURNS TABLE(workspace_id uuid, workspace_name text, id uuid, email text, role text, created_at timestamp with time zone, expires_at timestamp with time zone, accepted_at timestamp with time zone, revoked_at timestamp with time zone)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    place         record;
BEGIN
    FOR place IN SELECT l.workspace_id, l.id FROM app.locate_own_invitations(address) l LIMIT max_rows LOOP
        PERFORM app.set_tenant(place.workspace_id::text, its_user, '', '');
        RETURN QUERY SELECT i.workspace_id, w.name, i.id, i.email, i.role, i.created_at, i.expires_at, i.accepted_at, i.revoked_at
          FROM public.invitations i
          JOIN public.workspaces w ON w.id = i.workspace_id
         WHERE i.workspace_id = place.workspace_id AND i.id = place.id;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
END $function$;
GRANT EXECUTE ON FUNCTION app.own_invitations(text,integer) TO parley_app;

CREATE OR REPLACE FUNCTION app.own_sessions(before_at timestamp with time zone, before_id uuid, max_rows integer, also_ended boolean)
 RETURNS TABLE(workspace_id uuid, id uuid, rotated_at timestamp with time zone, idle_expires_at timestamp with time zone, revoked_at timestamp with time zone, created_at timestamp with time zone, ip inet, user_agent text)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
    its_workspace text := coalesce(current_setting('app.workspace_id', true), '');
    its_user      text := coalesce(current_setting('app.user_id', true), '');
    its_role      text := coalesce(current_setting('app.role', true), '');
    its_bots      text := coalesce(current_setting('app.bots', true), '');
    usr           uuid := nullif(its_user, '')::uuid;
    home          uuid;
BEGIN
    RETURN QUERY SELECT NULL::uuid, s.id, s.rotated_at, s.idle_expires_at, s.revoked_at, s.created_at, s.ip, s.user_agent
      FROM public.account_sessions s
     WHERE s.user_id = usr AND (also_ended OR s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now())
       AND (before_at IS NULL OR (s.created_at, s.id) < (before_at, before_id))
     ORDER BY s.created_at DESC, s.id DESC LIMIT max_rows;
    FOREACH home IN ARRAY ARRAY(SELECT app.own_workspaces()) LOOP
        PERFORM app.set_tenant(home::text, its_user, '', '');
        RETURN QUERY SELECT home, s.id, s.rotated_at, s.idle_expires_at, s.revoked_at, s.created_at, s.ip, s.user_agent
          FROM public.sessions s
         WHERE s.workspace_id = home AND s.user_id = usr
           AND (also_ended OR s.revoked_at IS NULL AND s.idle_expires_at > now() AND s.expires_at > now())
           AND (before_at IS NULL OR (s.created_at, s.id) < (before_at, before_id))
         ORDER BY s.created_at DESC, s.id DESC LIMIT max_rows;
    END LOOP;
    PERFORM app.set_tenant(its_workspace, its_user, its_role, its_bots);
END $function$;
GRANT EXECUTE ON FUNCTION app.own_sessions(timestamp with time zone,uuid,integer,boolean) TO parley_app;

CREATE OR REPLACE FUNCTION app.own_workspaces()
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT m.workspace_id FROM public.workspace_members m
     WHERE m.user_id = nullif(current_setting('app.user_id', true), '')::uuid ORDER BY m.workspace_id
$function$;
GRANT EXECUTE ON FUNCTION app.own_workspaces() TO parley_app;
ALTER FUNCTION app.own_workspaces() OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.owns_thread(thread uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
AS $function$
BEGIN
    RETURN EXISTS (SELECT FROM public.threads t
                    WHERE t.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND t.id = thread
                      AND t.owner_id = nullif(current_setting('app.owner', true), '')::uuid);
END $function$;
GRANT EXECUTE ON FUNCTION app.owns_thread(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.owns_turn(turn uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
AS $function$
BEGIN
    RETURN EXISTS (SELECT FROM public.llm_turns u
                     JOIN public.threads t ON t.workspace_id = u.workspace_id AND t.id = u.thread_id
                    WHERE u.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND u.id = turn
                      AND t.owner_id = nullif(current_setting('app.owner', true), '')::uuid);
END $function$;
GRANT EXECUTE ON FUNCTION app.owns_turn(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.parent_seq(path int8multirange, user_seq bigint)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
AS $function$
    SELECT CASE WHEN path IS NULL THEN user_seq ELSE upper(path) END - 2
$function$;
GRANT EXECUTE ON FUNCTION app.parent_seq(int8multirange,bigint) TO public;
GRANT EXECUTE ON FUNCTION app.parent_seq(int8multirange,bigint) TO parley_app;

CREATE OR REPLACE FUNCTION app.pass_login(counter bytea, account bytea, from_network bytea, begun timestamp with time zone)
 RETURNS double precision
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    usr  uuid := nullif(nullif(current_setting('app.user_id', true), ''), '00000000-0000-0000-0000-000000000000')::uuid;
    wait double precision;
BEGIN
    PERFORM 1 FROM public.login_attempts a WHERE a.address_hash = counter FOR UPDATE;
    wait := app.blocked_since(counter, account, begun);
    IF wait > 0 THEN
        RETURN wait;
    END IF;
    DELETE FROM public.login_attempts a WHERE a.address_hash = counter;
    IF usr IS NULL OR from_network IS NULL THEN
        RETURN 0;
    END IF;
    INSERT INTO public.login_networks AS n (user_id, network, used_at) VALUES (usr, from_network, now())
        ON CONFLICT (user_id, network) DO UPDATE SET used_at = now() WHERE n.used_at < now() - interval '1 hour';
    IF FOUND THEN
        DELETE FROM public.login_networks n USING (
            SELECT o.network FROM public.login_networks o WHERE o.user_id = usr ORDER BY o.used_at DESC, o.network OFFSET 20) old
         WHERE n.user_id = usr AND n.network = old.network;
    END IF;
    RETURN 0;
END $function$;
GRANT EXECUTE ON FUNCTION app.pass_login(bytea,bytea,bytea,timestamp with time zone) TO parley_app;
ALTER FUNCTION app.pass_login(bytea,bytea,bytea,timestamp with time zone) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.path_to(path int8multirange, user_seq bigint)
 RETURNS int8multirange
 LANGUAGE sql
 IMMUTABLE
AS $function$
    SELECT coalesce(path, int8multirange(int8range(1, user_seq))) + int8multirange(int8range(user_seq, user_seq + 2))
$function$;
GRANT EXECUTE ON FUNCTION app.path_to(int8multirange,bigint) TO public;
GRANT EXECUTE ON FUNCTION app.path_to(int8multirange,bigint) TO parley_app;

CREATE OR REPLACE FUNCTION app.purge_some(workspace uuid, seconds double precision, OUT state text, OUT removed bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    last      constant regclass := 'public.workspace_members';
    until     constant timestamptz := clock_timestamp() + seconds * interval '1 second';
    remaining regclass[] := ARRAY(
        SELECT a.attrelid::regclass FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'workspace_id' AND NOT a.attisdropped);
    people    uuid[];
    counts    jsonb := '{}';
    tab       regclass;
    rows      refcursor;
    whole     boolean; -- the table goes in one step with those that point at it, whose keys are checked at the commit
    n         bigint;
BEGIN
    removed := 0;
    IF NOT pg_try_advisory_xact_lock(hashtextextended('purge of ' || workspace, 0)) THEN
        state := 'busy';
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM public.workspaces w WHERE w.id = workspace AND w.deleted_at < now() - interval '30 days') THEN
        RAISE EXCEPTION 'the workspace is not to be purged';
    END IF;
    state := 'done';
    WHILE cardinality(remaining) > 0 LOOP
        SELECT t INTO tab FROM unnest(remaining) t
         WHERE NOT EXISTS (SELECT FROM pg_constraint c
                            WHERE c.contype = 'f' AND c.confrelid = t AND c.conrelid <> t AND NOT c.condeferrable AND c.conrelid = ANY (remaining))
           AND (t <> last OR cardinality(remaining) = 1)
         ORDER BY t::text
         LIMIT 1;
        IF tab IS NULL THEN
            RAISE EXCEPTION 'tables point at each other in a circle: %', remaining;
        END IF;
        IF tab = last THEN
            people := ARRAY(SELECT m.user_id FROM public.workspace_members m WHERE m.workspace_id = workspace);
        END IF;
        whole := tab = last OR EXISTS (SELECT FROM pg_constraint c
                            WHERE c.contype = 'f' AND c.condeferrable AND c.confrelid <> ALL (array_remove(remaining, tab)) AND c.conrelid = ANY (remaining));
        n := 0;
        OPEN rows FOR EXECUTE format('SELECT workspace_id FROM %s WHERE workspace_id = $1', tab) USING workspace;
        LOOP
            MOVE NEXT FROM rows;
            EXIT WHEN NOT FOUND;
            EXECUTE format('DELETE FROM %s WHERE CURRENT OF %I', tab, rows::text);
            n := n + 1;
            IF n % 100 = 0 AND NOT whole AND clock_timestamp() > until THEN
                state := 'more';
                EXIT;
            END IF;
        END LOOP;
        CLOSE rows;
        IF n > 0 THEN
            counts := counts || jsonb_build_object(tab::text, n);
            removed := removed + n;
        END IF;
        EXIT WHEN state = 'more';
        remaining := array_remove(remaining, tab);
    END LOOP;
    IF state = 'done' THEN
        DELETE FROM public.workspaces w WHERE w.id = workspace;
        DELETE FROM public.users u WHERE u.id = ANY (people) AND NOT EXISTS (SELECT FROM public.workspace_members m WHERE m.user_id = u.id);
    END IF;
    INSERT INTO public.workspace_purges AS p (id, removed, finished) VALUES (workspace, counts, state = 'done')
        ON CONFLICT (id) DO UPDATE
       SET purged_at = now(), finished = excluded.finished,
           removed = (SELECT coalesce(jsonb_object_agg(t, coalesce((p.removed ->> t)::bigint, 0) + coalesce((counts ->> t)::bigint, 0)), '{}')
                        FROM (SELECT jsonb_object_keys(p.removed || counts)) k(t));
END $function$;
GRANT EXECUTE ON FUNCTION app.purge_some(uuid,double precision) TO parley_app;
ALTER FUNCTION app.purge_some(uuid,double precision) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.purge_workspace(workspace uuid)
 RETURNS boolean
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT state = 'done' FROM app.purge_some(workspace, 5)
$function$;
GRANT EXECUTE ON FUNCTION app.purge_workspace(uuid) TO parley_app;
ALTER FUNCTION app.purge_workspace(uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.queue_account_email(its_id uuid, its_kind text, its_user uuid, its_address text, its_language text, its_trace text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    INSERT INTO public.account_emails (id, kind, user_id, address, language, trace_id)
    VALUES (its_id, its_kind, its_user, its_address, its_language, its_trace);
$function$;
GRANT EXECUTE ON FUNCTION app.queue_account_email(uuid,text,uuid,text,text,text) TO parley_app;
ALTER FUNCTION app.queue_account_email(uuid,text,uuid,text,text,text) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.queue_account_email(its_id uuid, its_kind text, its_user uuid, its_address text, its_language text, its_trace text, its_facts jsonb)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    INSERT INTO public.account_emails (id, kind, user_id, address, language, trace_id, facts)
    VALUES (its_id, its_kind, its_user, its_address, its_language, its_trace, its_facts);
$function$;
GRANT EXECUTE ON FUNCTION app.queue_account_email(uuid,text,uuid,text,text,text,jsonb) TO parley_app;
ALTER FUNCTION app.queue_account_email(uuid,text,uuid,text,text,text,jsonb) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.queue_depth()
 RETURNS TABLE(queued bigint, running bigint, dead bigint, oldest_seconds double precision)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT (SELECT count(*) FROM public.job_queue j WHERE j.status = 'queued'),
           (SELECT count(*) FROM public.job_queue j WHERE j.status = 'running'),
           (SELECT count(*) FROM public.dead_letter_queue d),
           coalesce((SELECT extract(epoch FROM now() - min(j.run_at)) FROM public.job_queue j
                      WHERE j.status = 'queued' AND j.run_at <= now()), 0)::double precision
$function$;
GRANT EXECUTE ON FUNCTION app.queue_depth() TO parley_app;
ALTER FUNCTION app.queue_depth() OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.read_endpoint(endpoint uuid)
 RETURNS TABLE(workspace_id uuid, status text, secrets jsonb)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
    its_workspace uuid := app.locate_endpoint(endpoint);
BEGIN
    IF its_workspace IS NULL THEN
        RETURN;
    END IF;
    PERFORM app.set_tenant(its_workspace::text, '', '', '');
    RETURN QUERY SELECT e.workspace_id, e.status, e.secrets
      FROM public.webhook_endpoints e
      JOIN public.workspaces w ON w.id = e.workspace_id AND w.deleted_at IS NULL
     WHERE e.workspace_id = its_workspace AND e.id = endpoint AND e.deleted_at IS NULL;
    PERFORM app.set_tenant('', '', '', '');
END $function$;
GRANT EXECUTE ON FUNCTION app.read_endpoint(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.read_invitation(print bytea)
 RETURNS TABLE(workspace_id uuid, id uuid, email text, role text, expires_at timestamp with time zone, accepted boolean, operation_id uuid, user_id uuid, password_hash text)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
    its record;
BEGIN
    SELECT l.workspace_id, l.id INTO its FROM app.locate_invitation(print) l;
    IF its.id IS NULL THEN
        RETURN;
    END IF;
    PERFORM app.set_tenant(its.workspace_id::text, '', '', '');
    RETURN QUERY SELECT i.workspace_id, i.id, i.email, i.role, i.expires_at, i.accepted_at IS NOT NULL, i.operation_id, u.user_id, u.password_hash
      FROM public.invitations i
      JOIN public.workspaces w ON w.id = i.workspace_id AND w.deleted_at IS NULL
      LEFT JOIN LATERAL app.find_login(ARRAY[i.email], NULL) u ON true
     WHERE i.workspace_id = its.workspace_id AND i.id = its.id AND i.token_hash = print AND i.revoked_at IS NULL;
    PERFORM app.set_tenant('', '', '', '');
END $function$;
GRANT EXECUTE ON FUNCTION app.read_invitation(bytea) TO parley_app;

CREATE OR REPLACE FUNCTION app.readable_words(bases uuid[], words text[], counts integer[])
 RETURNS TABLE(word text, chunks integer)
 LANGUAGE plpgsql
 STABLE
AS $function$
#variable_conflict use_column
BEGIN
    IF coalesce(current_setting('app.bots', true), '') = '' THEN
        RETURN QUERY SELECT w.word, w.chunks FROM unnest(words, counts) w(word, chunks);
        RETURN;
    END IF;
    RETURN QUERY
    SELECT w.word, n.chunks FROM unnest(words) w(word)
     CROSS JOIN LATERAL (SELECT count(*)::integer AS chunks
                           FROM app.search_chunks(bases, ARRAY[w.word], ARRAY[1]::real[], ARRAY[1], '{}', 1000, 1000) f
                           JOIN public.chunks c ON c.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND c.id = f.chunk_id) n
     WHERE n.chunks > 0;
END $function$;
GRANT EXECUTE ON FUNCTION app.readable_words(uuid[],text[],integer[]) TO parley_app;

CREATE OR REPLACE FUNCTION app.recent_networks(after timestamp with time zone, most integer)
 RETURNS TABLE(network bytea, used_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT n.network, n.used_at FROM public.login_networks n
     WHERE n.used_at > greatest(after, now() - interval '180 days')
     ORDER BY n.used_at DESC LIMIT most
$function$;
GRANT EXECUTE ON FUNCTION app.recent_networks(timestamp with time zone,integer) TO parley_app;
ALTER FUNCTION app.recent_networks(timestamp with time zone,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.refuse(why text)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF why IS NOT NULL THEN
        RAISE EXCEPTION '%', why USING ERRCODE = 'PY409';
    END IF;
    RETURN false;
END $function$;
GRANT EXECUTE ON FUNCTION app.refuse(text) TO public;

CREATE OR REPLACE FUNCTION app.refuse_bot(bot uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
    IF bot = ANY (current_setting('app.bots')::uuid[]) THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'not for this API key' USING ERRCODE = 'PYKEY', DETAIL = current_setting('app.role');
END $function$;
GRANT EXECUTE ON FUNCTION app.refuse_bot(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'parley_door' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $function$;
GRANT EXECUTE ON FUNCTION app.refuse_change() TO public;

CREATE OR REPLACE FUNCTION app.refuse_key()
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
    RAISE EXCEPTION 'not for this API key' USING ERRCODE = 'PYKEY', DETAIL = current_setting('app.role');
END $function$;
GRANT EXECUTE ON FUNCTION app.refuse_key() TO parley_app;

CREATE OR REPLACE FUNCTION app.remove_chunks(workspace uuid, document uuid, before integer, its_language text, max_rows integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
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
END $function$;
GRANT EXECUTE ON FUNCTION app.remove_chunks(uuid,uuid,integer,text,integer) TO parley_app;

CREATE OR REPLACE FUNCTION app.remove_old(kind text, before timestamp with time zone, after uuid, max_rows integer, OUT removed integer, OUT last uuid)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    bound     constant uuid := (lpad(to_hex(floor(extract(epoch FROM before) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
    ids       uuid[];
BEGIN
    CASE kind
    WHEN 'deliveries' THEN
        ids := ARRAY(SELECT d.id FROM public.webhook_deliveries d
                      WHERE d.workspace_id = workspace AND d.id > after AND d.id < bound ORDER BY d.id LIMIT max_rows);
        DELETE FROM public.webhook_deliveries d WHERE d.workspace_id = workspace AND d.id = ANY (ids) AND d.finished_at < before;
    WHEN 'bodies' THEN
        ids := ARRAY(SELECT b.event_id FROM public.event_bodies b
                      WHERE b.workspace_id = workspace AND b.event_id > after AND b.event_id < bound ORDER BY b.event_id LIMIT max_rows);
        DELETE FROM public.event_bodies b
         WHERE b.workspace_id = workspace AND b.event_id = ANY (ids) AND b.created_at < before
           AND NOT EXISTS (SELECT FROM public.webhook_deliveries d WHERE d.workspace_id = workspace AND d.event_id = b.event_id);
    WHEN 'received' THEN
        ids := ARRAY(SELECT e.id FROM public.webhook_events e
                      WHERE e.workspace_id = workspace AND e.id > after AND e.id < bound ORDER BY e.id LIMIT max_rows);
        DELETE FROM public.webhook_events e
         WHERE e.workspace_id = workspace AND e.id = ANY (ids) AND e.received_at < before AND e.status <> 'received';
    WHEN 'jobs' THEN
        ids := ARRAY(SELECT j.id FROM public.job_queue j
                      WHERE j.workspace_id = workspace AND j.id > after AND j.id < bound ORDER BY j.id LIMIT max_rows);
        DELETE FROM public.job_queue j WHERE j.workspace_id = workspace AND j.id = ANY (ids) AND j.status = 'done' AND j.finished_at < before;
    WHEN 'dead_letters' THEN
        ids := ARRAY(SELECT d.id FROM public.dead_letter_queue d
                      WHERE d.workspace_id = workspace AND d.id > after AND d.id < bound ORDER BY d.id LIMIT max_rows);
        DELETE FROM public.dead_letter_queue d WHERE d.workspace_id = workspace AND d.id = ANY (ids) AND d.created_at < before;
    END CASE;
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF cardinality(ids) = max_rows THEN
        last := ids[max_rows];
    END IF;
END $function$;
GRANT EXECUTE ON FUNCTION app.remove_old(text,timestamp with time zone,uuid,integer) TO parley_app;
ALTER FUNCTION app.remove_old(text,timestamp with time zone,uuid,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.remove_old_usage(kind text, before date, max_rows integer, OUT removed integer, OUT more boolean)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    workspace constant uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    bound     constant date := least(before, date_trunc('month', now() AT TIME ZONE 'UTC')::date);
    since     constant timestamptz := bound::timestamp AT TIME ZONE 'UTC';
    old       tid[];
BEGIN
    CASE kind
    WHEN 'outbox' THEN
        old := ARRAY(SELECT o.ctid FROM public.analytics_outbox o WHERE o.workspace_id = workspace AND o.at < since AND o.batch IS NULL ORDER BY o.id LIMIT max_rows);
        DELETE FROM public.analytics_outbox o WHERE o.workspace_id = workspace AND o.at < since AND o.batch IS NULL AND o.ctid = ANY (old);
    WHEN 'daily' THEN
        old := ARRAY(SELECT d.ctid FROM public.analytics_daily d WHERE d.workspace_id = workspace AND d.day < bound ORDER BY d.day LIMIT max_rows);
        DELETE FROM public.analytics_daily d WHERE d.workspace_id = workspace AND d.day < bound AND d.ctid = ANY (old);
    WHEN 'latency' THEN
        old := ARRAY(SELECT l.ctid FROM public.analytics_latency l WHERE l.workspace_id = workspace AND l.day < bound ORDER BY l.day LIMIT max_rows);
        DELETE FROM public.analytics_latency l WHERE l.workspace_id = workspace AND l.day < bound AND l.ctid = ANY (old);
    WHEN 'quarters' THEN
        old := ARRAY(SELECT q.ctid FROM public.analytics_quarters q WHERE q.workspace_id = workspace AND q.quarter < since ORDER BY q.quarter LIMIT max_rows);
        DELETE FROM public.analytics_quarters q WHERE q.workspace_id = workspace AND q.quarter < since AND q.ctid = ANY (old);
    WHEN 'latency_quarters' THEN
        old := ARRAY(SELECT l.ctid FROM public.analytics_latency_quarters l WHERE l.workspace_id = workspace AND l.quarter < since ORDER BY l.quarter LIMIT max_rows);
        DELETE FROM public.analytics_latency_quarters l WHERE l.workspace_id = workspace AND l.quarter < since AND l.ctid = ANY (old);
    WHEN 'warnings' THEN
        old := ARRAY(SELECT w.ctid FROM public.usage_warnings w WHERE w.workspace_id = workspace AND w.month < bound ORDER BY w.month LIMIT max_rows);
        DELETE FROM public.usage_warnings w WHERE w.workspace_id = workspace AND w.month < bound AND w.ctid = ANY (old);
    WHEN 'counters' THEN
        old := ARRAY(SELECT c.ctid FROM public.usage_counters c
                      WHERE c.workspace_id = workspace AND c.month > '0001-01-01' AND c.month < bound ORDER BY c.month LIMIT max_rows);
        DELETE FROM public.usage_counters c WHERE c.workspace_id = workspace AND c.month > '0001-01-01' AND c.month < bound AND c.ctid = ANY (old);
    END CASE;
    GET DIAGNOSTICS removed = ROW_COUNT;
    more := cardinality(old) = max_rows;
END $function$;
GRANT EXECUTE ON FUNCTION app.remove_old_usage(text,date,integer) TO parley_app;
ALTER FUNCTION app.remove_old_usage(text,date,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.remove_unproved(account uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    DELETE FROM public.users u WHERE u.id = account AND u.shares_address AND u.verified_at IS NULL
       AND NOT EXISTS (SELECT FROM public.workspace_members m WHERE m.user_id = account);
    RETURN FOUND;
END $function$;
GRANT EXECUTE ON FUNCTION app.remove_unproved(uuid) TO parley_app;
ALTER FUNCTION app.remove_unproved(uuid) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.require(ok boolean, what text)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF ok IS NOT TRUE THEN
        RAISE EXCEPTION '%', what USING ERRCODE = 'PY404';
    END IF;
    RETURN true;
END $function$;
GRANT EXECUTE ON FUNCTION app.require(boolean,text) TO public;

CREATE OR REPLACE FUNCTION app.reserve_cost(workspace uuid, turn uuid, its_attempt integer, amount bigint, moment timestamp with time zone, most bigint)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
    this_month date := date_trunc('month', moment AT TIME ZONE 'UTC');
    its_limit  bigint := coalesce((SELECT o.most FROM public.workspace_limits o
                                    WHERE o.workspace_id = workspace AND o.metric = 'cost_micros'), reserve_cost.most);
    spent      bigint;
    reserved   bigint;
BEGIN
    IF its_limit = 0 THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('cost_micros of ' || workspace, 0));
    SELECT app.used(workspace, this_month, 'cost_micros'), app.reserved_cost(workspace, turn) INTO spent, reserved;
    IF spent + reserved + amount > its_limit THEN
        RAISE EXCEPTION 'the limit of cost_micros is reached' USING ERRCODE = 'PYLIM',
            DETAIL = jsonb_build_object('metric', 'cost_micros', 'limit', its_limit, 'used', spent, 'reserved', reserved, 'needed', amount,
                'resets_at', to_char(this_month + interval '1 month', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))::text;
    END IF;
    UPDATE public.llm_turns t SET reserved_micros = amount
     WHERE t.workspace_id = workspace AND t.id = turn AND t.attempt = its_attempt AND t.finished_at IS NULL;
    PERFORM app.require(FOUND, 'turn');
    RETURN true;
END $function$;
GRANT EXECUTE ON FUNCTION app.reserve_cost(uuid,uuid,integer,bigint,timestamp with time zone,bigint) TO parley_app;

CREATE OR REPLACE FUNCTION app.reserve_knowledge(workspace uuid, document uuid, new_chunks bigint, new_bytes bigint, max_chunks bigint, max_bytes bigint)
 RETURNS TABLE(metric text, most bigint, used bigint)
 LANGUAGE plpgsql
AS $function$
#variable_conflict use_column
DECLARE
    chunk_limit bigint := coalesce((SELECT o.most FROM public.workspace_limits o WHERE o.workspace_id = workspace AND o.metric = 'chunks'), max_chunks);
    byte_limit  bigint := coalesce((SELECT o.most FROM public.workspace_limits o WHERE o.workspace_id = workspace AND o.metric = 'knowledge_bytes'), max_bytes);
    others record;
    own    record;
BEGIN
    IF chunk_limit = 0 AND byte_limit = 0 THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('chunks of ' || workspace, 0)); -- as app.make_room does
    SELECT d.chunks, d.text_bytes INTO own FROM public.documents d WHERE d.workspace_id = workspace AND d.id = document;
    SELECT coalesce(sum(greatest(d.chunks, b.chunks)), 0) AS chunks, coalesce(sum(greatest(d.text_bytes, b.bytes)), 0) AS bytes INTO others
      FROM public.documents d
      LEFT JOIN LATERAL (SELECT d.chunks_total AS chunks, octet_length(t.text) AS bytes FROM public.document_texts t
                          WHERE t.workspace_id = workspace AND t.document_id = d.id AND t.generation = d.building
                            AND d.status IN ('chunking', 'embedding')) b ON true
     WHERE d.workspace_id = workspace AND d.id <> document AND d.status <> 'deleting';
    IF chunk_limit > 0 AND new_chunks > own.chunks AND others.chunks + new_chunks > chunk_limit THEN
        RETURN QUERY SELECT 'chunks', chunk_limit, others.chunks::bigint + own.chunks;
    ELSIF byte_limit > 0 AND new_bytes > own.text_bytes AND others.bytes + new_bytes > byte_limit THEN
        RETURN QUERY SELECT 'knowledge_bytes', byte_limit, others.bytes::bigint + own.text_bytes;
    END IF;
END $function$;
GRANT EXECUTE ON FUNCTION app.reserve_knowledge(uuid,uuid,bigint,bigint,bigint,bigint) TO parley_app;

CREATE OR REPLACE FUNCTION app.reserved_cost(workspace uuid, without uuid)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
    RETURN (SELECT coalesce(sum(t.reserved_micros), 0) FROM public.llm_turns t
             WHERE t.workspace_id = workspace AND t.finished_at IS NULL AND t.lease_until > now() AND t.id IS DISTINCT FROM without);
END $function$;
GRANT EXECUTE ON FUNCTION app.reserved_cost(uuid,uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.restore_authority(workspace uuid, member uuid, since timestamp with time zone, OUT api_keys integer, OUT subscriptions integer)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
DECLARE
    restored uuid[];
BEGIN
    UPDATE public.api_keys k SET suspended_at = NULL
     WHERE k.workspace_id = workspace AND coalesce(k.responsible_id, k.created_by) = member AND k.revoked_at IS NULL
       AND k.suspended_at >= since;
    GET DIAGNOSTICS api_keys = ROW_COUNT;
    WITH held AS (
        UPDATE public.webhook_subscriptions s SET held_at = NULL
         WHERE s.workspace_id = workspace AND s.deleted_at IS NULL AND coalesce(s.responsible_id, s.created_by) = member
           AND s.held_at >= since
     RETURNING s.id
    )
    SELECT coalesce(array_agg(held.id), '{}') INTO restored FROM held;
    subscriptions := cardinality(restored);
    IF subscriptions > 0 THEN
        WITH waiting AS MATERIALIZED (
            SELECT d.id::text AS key FROM public.webhook_deliveries d
             WHERE d.workspace_id = workspace AND d.subscription_id = ANY (restored) AND d.status = 'pending'
             ORDER BY d.id LIMIT 10000
        )
        UPDATE public.job_queue j SET run_at = now()
          FROM waiting
         WHERE j.workspace_id = workspace AND j.kind = 'webhook.deliver' AND j.key = waiting.key AND j.status = 'queued' AND j.run_at > now();
        PERFORM pg_notify('parley_jobs', '');
    END IF;
END $function$;
GRANT EXECUTE ON FUNCTION app.restore_authority(uuid,uuid,timestamp with time zone) TO parley_app;

CREATE OR REPLACE FUNCTION app.retire_key(id bytea, key_purpose text, sealed_key bytea)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    INSERT INTO public.retired_keys (key_id, purpose, sealed) VALUES (id, key_purpose, sealed_key)
    ON CONFLICT (key_id, purpose) DO UPDATE SET sealed = excluded.sealed
$function$;
GRANT EXECUTE ON FUNCTION app.retire_key(bytea,text,bytea) TO parley_app;
ALTER FUNCTION app.retire_key(bytea,text,bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.retired_keys()
 RETURNS TABLE(key_id bytea, purpose text, sealed bytea, retired_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT r.key_id, r.purpose, r.sealed, r.retired_at FROM public.retired_keys r ORDER BY r.retired_at DESC, r.key_id, r.purpose LIMIT 1000
$function$;
GRANT EXECUTE ON FUNCTION app.retired_keys() TO parley_app;
ALTER FUNCTION app.retired_keys() OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.roll_up_analytics(most integer, bounds integer[])
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    WITH due AS (
        SELECT o.workspace_id, o.id FROM public.analytics_outbox o LIMIT most FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM public.analytics_outbox o USING due WHERE (o.workspace_id, o.id) = (due.workspace_id, due.id)
     RETURNING o.workspace_id, (o.at AT TIME ZONE 'UTC')::date AS day,
               to_timestamp(floor(extract(epoch FROM o.at) / 900) * 900) AS quarter,
               coalesce(o.bot_id, '00000000-0000-0000-0000-000000000000') AS bot_id,
               o.kind, o.count, o.messages, o.input_tokens, o.output_tokens, o.cost_micros,
               width_bucket(greatest(o.latency_ms, 0), bounds) - 1 AS bucket, o.latency_ms
    ), kept AS ( -- retention has closed the time before
        SELECT t.* FROM taken t LEFT JOIN public.workspace_retention r ON r.workspace_id = t.workspace_id
         WHERE r.usage_before IS NULL OR t.day >= r.usage_before
    ), summed AS (
        INSERT INTO public.analytics_daily AS d
        SELECT t.workspace_id, t.day, t.bot_id,
               coalesce(sum(t.count) FILTER (WHERE t.kind IN ('completed', 'failed', 'cancelled')), 0),
               coalesce(sum(t.count) FILTER (WHERE t.kind = 'completed'), 0), coalesce(sum(t.count) FILTER (WHERE t.kind = 'failed'), 0),
               sum(t.messages),
               coalesce(sum(t.count) FILTER (WHERE t.kind = 'webhook_event'), 0), coalesce(sum(t.count) FILTER (WHERE t.kind = 'audit'), 0),
               sum(t.input_tokens), sum(t.output_tokens), sum(t.cost_micros)
          FROM kept t GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 -- in one order, so that two of these wait for each other and no more
            ON CONFLICT (workspace_id, day, bot_id) DO UPDATE
           SET turns = d.turns + excluded.turns, completed = d.completed + excluded.completed, failed = d.failed + excluded.failed,
               messages = d.messages + excluded.messages, webhook_events = d.webhook_events + excluded.webhook_events,
               audit_entries = d.audit_entries + excluded.audit_entries, input_tokens = d.input_tokens + excluded.input_tokens,
               output_tokens = d.output_tokens + excluded.output_tokens, cost_micros = d.cost_micros + excluded.cost_micros
    ), timed AS (
        INSERT INTO public.analytics_latency AS l
        SELECT t.workspace_id, t.day, t.bot_id, t.bucket, sum(t.count) FROM kept t WHERE t.latency_ms IS NOT NULL
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            ON CONFLICT (workspace_id, day, bot_id, bucket) DO UPDATE SET turns = l.turns + excluded.turns
    ), summed_quarters AS (
        INSERT INTO public.analytics_quarters AS d
        SELECT t.workspace_id, t.quarter, t.bot_id,
               coalesce(sum(t.count) FILTER (WHERE t.kind IN ('completed', 'failed', 'cancelled')), 0),
               coalesce(sum(t.count) FILTER (WHERE t.kind = 'completed'), 0), coalesce(sum(t.count) FILTER (WHERE t.kind = 'failed'), 0),
               sum(t.messages),
               coalesce(sum(t.count) FILTER (WHERE t.kind = 'webhook_event'), 0), coalesce(sum(t.count) FILTER (WHERE t.kind = 'audit'), 0),
               sum(t.input_tokens), sum(t.output_tokens), sum(t.cost_micros)
          FROM kept t GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            ON CONFLICT (workspace_id, quarter, bot_id) DO UPDATE
           SET turns = d.turns + excluded.turns, completed = d.completed + excluded.completed, failed = d.failed + excluded.failed,
               messages = d.messages + excluded.messages, webhook_events = d.webhook_events + excluded.webhook_events,
               audit_entries = d.audit_entries + excluded.audit_entries, input_tokens = d.input_tokens + excluded.input_tokens,
               output_tokens = d.output_tokens + excluded.output_tokens, cost_micros = d.cost_micros + excluded.cost_micros
    ), timed_quarters AS (
        INSERT INTO public.analytics_latency_quarters AS l
        SELECT t.workspace_id, t.quarter, t.bot_id, t.bucket, sum(t.count) FROM kept t WHERE t.latency_ms IS NOT NULL
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
            ON CONFLICT (workspace_id, quarter, bot_id, bucket) DO UPDATE SET turns = l.turns + excluded.turns
    )
    SELECT count(*)::integer FROM taken
$function$;
GRANT EXECUTE ON FUNCTION app.roll_up_analytics(integer,integer[]) TO parley_app;
ALTER FUNCTION app.roll_up_analytics(integer,integer[]) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.sealed_keys()
 RETURNS TABLE(kind text, key bytea, count bigint)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT s.kind, CASE WHEN octet_length(s.mark) >= 9 AND get_byte(s.mark, 0) = 2 THEN substring(s.mark FROM 2 FOR 8) ELSE '' END, count(*)
      FROM (
        SELECT 'model_keys' AS kind, substring(m.sealed FROM 1 FOR 9) AS mark FROM public.model_keys m
         UNION ALL
        SELECT 'model_keys', substring(e.sealed FROM 1 FOR 9) FROM public.embedding_keys e
         UNION ALL
        SELECT 'second_factors', substring(f.sealed FROM 1 FOR 9) FROM public.account_totp f
         UNION ALL
        SELECT 'tool_credentials', substring(c.sealed FROM 1 FOR 9) FROM public.tool_credentials c
         UNION ALL
        SELECT t.kind, CASE WHEN t.mark ~ '^[A-Za-z0-9+/]{12}$' THEN decode(t.mark, 'base64') ELSE '' END
          FROM (
            SELECT 'endpoint_secrets' AS kind, left(k ->> 'sealed', 12) AS mark FROM public.webhook_endpoints e, jsonb_array_elements(e.secrets) k
             UNION ALL
            SELECT 'subscription_secrets', left(k ->> 'sealed', 12) FROM public.webhook_subscriptions w, jsonb_array_elements(w.secrets) k
             UNION ALL
            SELECT 'emails', left(j.payload ->> 'letter', 12) FROM public.job_queue j WHERE j.kind = 'mail.send'
             UNION ALL
            SELECT 'emails', left(d.payload ->> 'letter', 12) FROM public.dead_letter_queue d WHERE d.kind = 'mail.send'
          ) t
         UNION ALL
        SELECT 'answers', substring(o.body FROM 1 FOR 9) FROM public.operations o WHERE o.sealed AND o.body IS NOT NULL
         UNION ALL
        SELECT 'audit_heads', '\x02'::bytea || coalesce(h.key_id, '') FROM public.audit_seal_heads h WHERE h.mac IS NOT NULL
         UNION ALL
        SELECT 'audit_cuts', '\x02'::bytea || c.key_id FROM public.audit_cuts c
         UNION ALL
        SELECT 'retired_keys', substring(r.sealed FROM 1 FOR 9) FROM public.retired_keys r
      ) s
     GROUP BY 1, 2 ORDER BY 1, 2
$function$;
GRANT EXECUTE ON FUNCTION app.sealed_keys() TO parley_app;
ALTER FUNCTION app.sealed_keys() OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.search_chunks(bases uuid[], words text[], weights real[], counts integer[], filter jsonb, max_seen integer, max_rows integer)
 RETURNS TABLE(chunk_id uuid, score real)
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_custom_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
DECLARE
    workspace uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    queries   tsquery[] := ARRAY(SELECT ('''' || replace(replace(w, '\', '\\'), '''', '''''') || '''')::tsquery FROM unnest(words) w);
    whole     real := (SELECT sum(w) FROM unnest(weights) w);
    n         integer := cardinality(words);
    rare      integer := 0; -- words in few chunks, which are all looked at
    total     bigint := 0;
    step      tsquery;
    steps     tsquery[] := '{}';
    done      tsquery;
    found     integer := 0;
    its_rows  integer;
BEGIN
    IF coalesce(n, 0) = 0 OR whole <= 0 OR cardinality(bases) = 0 THEN
        RETURN;
    END IF;
    WHILE rare < n AND total + counts[rare + 1] <= max_seen LOOP
        rare := rare + 1;
        total := total + counts[rare];
        step := CASE WHEN rare = 1 THEN queries[1] ELSE step || queries[rare] END;
    END LOOP;
    IF rare > 0 THEN
        steps := ARRAY[step];
    END IF;
    FOR i IN REVERSE least(n, rare + 4) .. rare + 2 LOOP
        step := queries[rare + 1];
        FOR j IN rare + 2 .. i LOOP
            step := step && queries[j];
        END LOOP;
        steps := steps || step;
    END LOOP;
    steps := steps || queries[rare + 1:];
    FOREACH step IN ARRAY steps LOOP
        RETURN QUERY
        SELECT m.id, (r.rank / whole / sqrt(1 + length(m.tsv) / 10.0))::real AS score
          FROM (SELECT c.id, c.tsv
                  FROM (SELECT c.id, c.tsv, c.document_id, c.generation
                          FROM public.chunks c
                         WHERE c.workspace_id = workspace AND (cardinality(bases) > 1 OR c.base_id = bases[1]) AND c.base_id = ANY (bases)
                           AND c.tsv @@ step AND (done IS NULL OR NOT c.tsv @@ done)
                        OFFSET 0) c
                 CROSS JOIN LATERAL (SELECT d.metadata FROM public.documents d
                                      WHERE d.workspace_id = workspace AND d.id = c.document_id AND d.generation = c.generation AND d.status <> 'deleting'
                                     OFFSET 0) d
                 WHERE filter = '{}' OR NOT EXISTS (SELECT FROM jsonb_each(filter) f WHERE NOT coalesce(f.value @> (d.metadata -> f.key), false))
                 LIMIT max_seen) m
         CROSS JOIN LATERAL (SELECT sum(w.weight * ts_rank('{0.1, 0.2, 0.9, 1}', m.tsv, w.query)) AS rank FROM unnest(queries, weights) w(query, weight)) r
         ORDER BY 2 DESC, m.id
         LIMIT max_rows - found;
        GET DIAGNOSTICS its_rows = ROW_COUNT;
        found := found + its_rows;
        EXIT WHEN found >= max_rows;
        done := CASE WHEN done IS NULL THEN step ELSE done || step END;
    END LOOP;
END $function$;
GRANT EXECUTE ON FUNCTION app.search_chunks(uuid[],text[],real[],integer[],jsonb,integer,integer) TO parley_app;
ALTER FUNCTION app.search_chunks(uuid[],text[],real[],integer[],jsonb,integer,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.search_words(its_language text, query_words text, max_words integer)
 RETURNS TABLE(word text, instead_of text, chunks integer, weight real)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_custom_plan'
 SET enable_seqscan TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
    workspace uuid := nullif(current_setting('app.workspace_id', true), '')::uuid;
    all_chunks real := (SELECT l.chunks FROM public.lexicon l WHERE l.workspace_id = workspace AND l.language = its_language AND l.word = '');
    stem text;
    its_chunks integer;
    missing integer := 0;
    list jsonb := '[]';
BEGIN
    IF all_chunks IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('pg_trgm.similarity_threshold', '0.25', true);
    FOREACH stem IN ARRAY (tsvector_to_array(to_tsvector(its_language::regconfig, query_words)))[1:200] LOOP
        SELECT l.chunks INTO its_chunks FROM public.lexicon l WHERE l.workspace_id = workspace AND l.language = its_language AND l.word = stem;
        IF FOUND THEN
            list := list || jsonb_build_object('word', stem, 'chunks', its_chunks, 'part', 1);
        ELSIF char_length(stem) >= 4 AND stem !~ '[0-9]' AND missing < max_words THEN
            missing := missing + 1;
            list := list || coalesce((
                SELECT jsonb_agg(jsonb_build_object('word', a.word, 'instead_of', stem, 'chunks', a.chunks, 'part', a.part))
                  FROM (SELECT l.word, l.chunks, ext.similarity(l.word, stem) AS part FROM public.lexicon l
                         WHERE l.workspace_id = workspace AND l.language = its_language AND l.word OPERATOR(ext.%) stem
                           AND abs(char_length(l.word) - char_length(stem)) <= 2
                         ORDER BY part DESC, l.chunks DESC, l.word LIMIT 3) a), '[]');
        END IF;
    END LOOP;
    RETURN QUERY
    WITH known AS (
        SELECT k.word, k.instead_of, k.chunks, k.part FROM jsonb_to_recordset(list) AS k(word text, instead_of text, chunks integer, part real)
    ), weighed AS (
        SELECT DISTINCT ON (k.word) k.word, k.instead_of, k.chunks, (k.part * ln(1 + (greatest(all_chunks - k.chunks, 0) + 0.5) / (k.chunks + 0.5)))::real AS weight
          FROM known k ORDER BY k.word, k.part DESC
    )
    SELECT w.word, w.instead_of, w.chunks, CASE WHEN row_number() OVER (ORDER BY w.weight DESC, w.word) <= max_words THEN w.weight ELSE 0 END::real
      FROM weighed w ORDER BY w.weight DESC, w.word;
END $function$;
GRANT EXECUTE ON FUNCTION app.search_words(text,text,integer) TO parley_app;
ALTER FUNCTION app.search_words(text,text,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.sees_document(document uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
AS $function$
BEGIN
    RETURN EXISTS (SELECT FROM public.documents d
                    WHERE d.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND d.id = document);
END $function$;
GRANT EXECUTE ON FUNCTION app.sees_document(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.sees_endpoint(endpoint uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
    SELECT EXISTS (SELECT FROM public.webhook_endpoints e
                    WHERE e.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND e.id = endpoint)
$function$;
GRANT EXECUTE ON FUNCTION app.sees_endpoint(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.sees_thread(thread uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
    SELECT EXISTS (SELECT FROM public.threads t
                    WHERE t.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND t.id = thread)
$function$;
GRANT EXECUTE ON FUNCTION app.sees_thread(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.sees_turn(turn uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
    SELECT EXISTS (SELECT FROM public.llm_turns t
                    WHERE t.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid AND t.id = turn)
$function$;
GRANT EXECUTE ON FUNCTION app.sees_turn(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.session_end(revoked_at timestamp with time zone, idle_expires_at timestamp with time zone, expires_at timestamp with time zone)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE
AS $function$ SELECT least(revoked_at, idle_expires_at, expires_at) $function$;
GRANT EXECUTE ON FUNCTION app.session_end(timestamp with time zone,timestamp with time zone,timestamp with time zone) TO parley_door;

CREATE OR REPLACE FUNCTION app.set_tenant(workspace text, usr text, role text, bots text)
 RETURNS text
 LANGUAGE sql
AS $function$
    SELECT set_config('app.workspace_id', workspace, true) || set_config('app.user_id', usr, true)
        || set_config('app.role', role, true) || set_config('app.bots', bots, true)
$function$;
GRANT EXECUTE ON FUNCTION app.set_tenant(text,text,text,text) TO parley_app;
GRANT EXECUTE ON FUNCTION app.set_tenant(text,text,text,text) TO parley_door;

CREATE OR REPLACE FUNCTION app.set_tenant(workspace text, usr text, role text, bots text, owner text)
 RETURNS text
 LANGUAGE sql
AS $function$
    SELECT app.set_tenant(workspace, usr, role, bots) || set_config('app.owner', owner, true)
$function$;
GRANT EXECUTE ON FUNCTION app.set_tenant(text,text,text,text,text) TO parley_app;
GRANT EXECUTE ON FUNCTION app.set_tenant(text,text,text,text,text) TO parley_door;

CREATE OR REPLACE FUNCTION app.settle_session(session uuid)
 RETURNS uuid
 LANGUAGE plpgsql
AS $function$
DECLARE
    home uuid;
BEGIN
    SELECT m.workspace_id INTO home FROM app.memberships(NULL, NULL, 100) m
     ORDER BY m.deleted_at IS NOT NULL, m.joined_at, m.workspace_id LIMIT 1;
    IF home IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM app.set_tenant(home::text, coalesce(current_setting('app.user_id', true), ''), '', '');
    INSERT INTO public.sessions (workspace_id, id, user_id, generation, rotated_at, retirements, kid, idle_expires_at, expires_at,
                                 revoked_at, created_at, ip, user_agent, authenticated_at, amr)
    SELECT home, s.id, s.user_id, s.generation, s.rotated_at, s.retirements, s.kid, s.idle_expires_at, s.expires_at,
           s.revoked_at, s.created_at, s.ip, s.user_agent, s.authenticated_at, s.amr
      FROM public.account_sessions s WHERE s.id = session;
    DELETE FROM public.account_sessions s WHERE s.id = session;
    RETURN home;
END $function$;
GRANT EXECUTE ON FUNCTION app.settle_session(uuid) TO parley_app;

CREATE OR REPLACE FUNCTION app.store_chunks(workspace uuid, base uuid, document uuid, its_generation integer, its_language text, list jsonb)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
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
END $function$;
GRANT EXECUTE ON FUNCTION app.store_chunks(uuid,uuid,uuid,integer,text,jsonb) TO parley_app;

CREATE OR REPLACE FUNCTION app.take_account_emails(max_rows integer, lease_seconds double precision)
 RETURNS TABLE(id uuid, kind text, user_id uuid, address text, language text, trace_id text, attempt integer, created_at timestamp with time zone, facts jsonb)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    WITH due AS (
        SELECT e.id FROM public.account_emails e WHERE e.run_at <= now() ORDER BY e.run_at, e.id LIMIT max_rows FOR UPDATE SKIP LOCKED
    )
    UPDATE public.account_emails e SET attempt = e.attempt + 1, run_at = now() + make_interval(secs => lease_seconds)
      FROM due WHERE e.id = due.id
    RETURNING e.id, e.kind, e.user_id, e.address, e.language, e.trace_id, e.attempt, e.created_at, e.facts;
$function$;
GRANT EXECUTE ON FUNCTION app.take_account_emails(integer,double precision) TO parley_app;
ALTER FUNCTION app.take_account_emails(integer,double precision) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.take_address(addresses text[])
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    self uuid := nullif(current_setting('app.user_id', true), '')::uuid;
BEGIN
    IF EXISTS (SELECT FROM public.users u WHERE u.email = ANY (addresses) AND u.verified_at IS NOT NULL AND NOT u.verified_by_link AND u.id <> self) THEN
        RETURN false;
    END IF;
    UPDATE public.users u SET shares_address = true, verified_at = NULL, verified_by_link = false
     WHERE u.email = ANY (addresses) AND (u.verified_at IS NULL AND NOT u.shares_address OR u.verified_by_link) AND u.id <> self;
    RETURN true;
END $function$;
GRANT EXECUTE ON FUNCTION app.take_address(text[]) TO parley_app;
ALTER FUNCTION app.take_address(text[]) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.take_analytics(most integer)
 RETURNS TABLE(batch uuid, workspace_id uuid, id bigint, kind text, count integer, messages integer, at timestamp with time zone, bot_id uuid, provider text, model text, input_tokens bigint, output_tokens bigint, cost_micros bigint, latency_ms integer)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    taken uuid := (SELECT o.batch FROM public.analytics_outbox o WHERE o.batch IS NOT NULL ORDER BY o.batch LIMIT 1);
    all_closed boolean; -- of the rows that were looked at
BEGIN
    IF taken IS NULL THEN
        taken := app.uuid_v7();
        LOOP
            WITH free AS (
                SELECT f.workspace_id, f.id, f.at < r.usage_before::timestamp AT TIME ZONE 'UTC' AS closed
                  FROM public.analytics_outbox f LEFT JOIN public.workspace_retention r ON r.workspace_id = f.workspace_id
                 WHERE f.batch IS NULL LIMIT most FOR UPDATE OF f SKIP LOCKED
            ), dropped AS (
                DELETE FROM public.analytics_outbox o USING free WHERE free.closed AND o.workspace_id = free.workspace_id AND o.id = free.id
            ), fixed AS (
                UPDATE public.analytics_outbox o SET batch = taken
                  FROM free WHERE free.closed IS NOT TRUE AND o.workspace_id = free.workspace_id AND o.id = free.id
             RETURNING 1
            )
            SELECT (SELECT count(*) FROM free) > 0 AND (SELECT count(*) FROM fixed) = 0 INTO all_closed;
            EXIT WHEN NOT all_closed;
        END LOOP;
    END IF;
    RETURN QUERY
    SELECT o.batch, o.workspace_id, o.id, o.kind, o.count, o.messages, o.at, o.bot_id, o.provider, o.model,
           o.input_tokens, o.output_tokens, o.cost_micros, o.latency_ms
      FROM public.analytics_outbox o WHERE o.batch = taken ORDER BY o.workspace_id, o.id;
END $function$;
GRANT EXECUTE ON FUNCTION app.take_analytics(integer) TO parley_app;
ALTER FUNCTION app.take_analytics(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.take_jobs(lease_seconds double precision, kinds text[], kind_pools integer[], kind_room integer[], other_room integer, pools integer[], sorts integer[], room integer[], each_workspace integer[], each_target integer[], held_workspaces uuid[], held_pools integer[], held_sorts integer[], held_targets text[], after_workspace uuid, after_kind text, after_target text, after_priority integer)
 RETURNS TABLE(workspace_id uuid, id uuid, kind text, key text, target text, sort integer, payload jsonb, operation_id uuid, trace_id text, attempt integer, failures integer, max_attempts integer, created_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE groups AS (
        (SELECT j.workspace_id, j.kind, j.target, j.priority, 1 AS n FROM public.job_queue j
          WHERE j.status = 'queued' AND (j.workspace_id, j.kind, j.target, j.priority) > (after_workspace, after_kind, after_target, after_priority)
          ORDER BY j.workspace_id, j.kind, j.target, j.priority LIMIT 1)
        UNION ALL
        SELECT further.workspace_id, further.kind, further.target, further.priority, g.n + 1
          FROM groups g
         CROSS JOIN LATERAL (
               SELECT j.workspace_id, j.kind, j.target, j.priority FROM public.job_queue j
                WHERE j.status = 'queued' AND (j.workspace_id, j.kind, j.target, j.priority) > (g.workspace_id, g.kind, g.target, g.priority)
                ORDER BY j.workspace_id, j.kind, j.target, j.priority LIMIT 1) further
         WHERE g.n < 500
    ), of_kinds AS MATERIALIZED (
        SELECT k.kind, k.pool, k.room FROM unnest(kinds, kind_pools, kind_room) AS k(kind, pool, room)
    ), lanes AS MATERIALIZED (
        SELECT l.pool, l.sort, l.room, l.each_workspace, l.each_target
          FROM unnest(pools, sorts, room, each_workspace, each_target) AS l(pool, sort, room, each_workspace, each_target)
         WHERE l.room > 0
    ), held AS MATERIALIZED (
        SELECT h.workspace_id, h.pool, h.sort, h.target, count(*) AS n
          FROM unnest(held_workspaces, held_pools, held_sorts, held_targets) AS h(workspace_id, pool, sort, target) GROUP BY 1, 2, 3, 4
    ), served AS MATERIALIZED (
        SELECT w.workspace_id, w.pool,
               (SELECT count(*) FROM public.job_queue r LEFT JOIN of_kinds k ON k.kind = r.kind
                 WHERE r.workspace_id = w.workspace_id AND r.status = 'running' AND coalesce(k.pool, 0) = w.pool) AS running,
               (SELECT max(s.started_at) FROM public.job_queue s WHERE s.workspace_id = w.workspace_id AND s.started_at IS NOT NULL) AS at
          FROM (SELECT DISTINCT g.workspace_id, coalesce(k.pool, 0) AS pool FROM groups g LEFT JOIN of_kinds k ON k.kind = g.kind) w
    ), open AS (
        SELECT g.workspace_id, g.kind, g.target, g.priority, l.pool, l.sort, coalesce(k.room, other_room) AS kind_room,
               l.each_workspace - (SELECT coalesce(sum(h.n), 0) FROM held h
                   WHERE h.workspace_id = g.workspace_id AND h.pool = l.pool AND h.sort = l.sort) AS workspace_room,
               CASE WHEN l.each_target = 0 OR g.target = '' THEN 1000000 ELSE greatest(1, l.each_target / 2) - (SELECT coalesce(sum(h.n), 0) FROM held h
                   WHERE h.workspace_id = g.workspace_id AND h.pool = l.pool AND h.sort = l.sort AND h.target = g.target) END AS own_target_room,
               CASE WHEN l.each_target = 0 OR g.target = '' THEN 1000000 ELSE l.each_target - (SELECT coalesce(sum(h.n), 0) FROM held h
                   WHERE h.pool = l.pool AND h.sort = l.sort AND h.target = g.target) END AS target_room,
               l.room AS enough
          FROM groups g
          LEFT JOIN of_kinds k ON k.kind = g.kind
          LEFT JOIN public.job_targets t ON t.workspace_id = g.workspace_id AND t.kind = g.kind AND t.target = g.target
          JOIN lanes l ON l.pool = coalesce(k.pool, 0) AND l.sort = CASE WHEN t.until > now() THEN CASE WHEN t.slow THEN 3 ELSE 1 END ELSE 2 END
    ), of_targets AS (
        SELECT c.id, c.run_at, o.*, row_number() OVER (PARTITION BY o.workspace_id, o.pool, o.sort, o.target ORDER BY o.priority, c.run_at, c.id) AS place
          FROM open o
         CROSS JOIN LATERAL (
               SELECT j.id, j.run_at FROM public.job_queue j
                WHERE j.status = 'queued' AND j.workspace_id = o.workspace_id AND j.kind = o.kind AND j.target = o.target AND j.priority = o.priority
                  AND j.run_at <= now()
                ORDER BY j.run_at, j.id LIMIT greatest(0, least(o.kind_room, o.workspace_room, o.own_target_room, o.target_room, o.enough))) c
    ), of_workspaces AS (
        SELECT t.*, s.running, s.at,
               row_number() OVER (PARTITION BY t.workspace_id, t.pool, t.sort ORDER BY t.priority, t.run_at, t.id) AS share
          FROM of_targets t
          JOIN served s ON s.workspace_id = t.workspace_id AND s.pool = t.pool
         WHERE t.place <= t.own_target_room
    ), candidates AS (
        SELECT w.*,
               row_number() OVER (PARTITION BY w.kind ORDER BY w.running + w.share, w.at NULLS FIRST, w.priority, w.run_at, w.id) AS of_kind,
               row_number() OVER (PARTITION BY w.pool, w.sort, w.target ORDER BY w.running + w.share, w.at NULLS FIRST, w.priority, w.run_at, w.id) AS of_target
          FROM of_workspaces w
         WHERE w.share <= w.workspace_room
    ), eligible AS MATERIALIZED (
        SELECT c.workspace_id, c.id, c.pool, c.sort,
               row_number() OVER (PARTITION BY c.pool, c.sort ORDER BY c.running + c.share, c.at NULLS FIRST, c.priority, c.run_at, c.id) AS place
          FROM candidates c WHERE c.of_kind <= c.kind_room AND c.of_target <= c.target_room
    ), picked AS MATERIALIZED (
        -- One by one in their order, so that no more are locked than are taken, and each is found by its primary key.
        SELECT taken.workspace_id, taken.id, l.sort
          FROM lanes l
         CROSS JOIN LATERAL (
               SELECT locked.workspace_id, locked.id
                 FROM (SELECT e.workspace_id, e.id FROM eligible e WHERE e.pool = l.pool AND e.sort = l.sort ORDER BY e.place) e
                CROSS JOIN LATERAL (
                      SELECT j.workspace_id, j.id FROM public.job_queue j
                       WHERE j.workspace_id = e.workspace_id AND j.id = e.id AND j.status = 'queued' FOR UPDATE SKIP LOCKED) locked
                LIMIT l.room) taken
    ), claimed AS (
        UPDATE public.job_queue j
           SET status = 'running', attempt = j.attempt + 1, started_at = clock_timestamp(),
               lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
          FROM picked p WHERE j.workspace_id = p.workspace_id AND j.id = p.id
     RETURNING j.workspace_id, j.id, j.kind, j.key, j.target, p.sort, j.payload, j.operation_id, j.trace_id, j.attempt, j.failures,
               j.max_attempts, j.created_at
    ), missed AS (
        SELECT (SELECT coalesce(sum(least(l.room, (SELECT count(*) FROM eligible e WHERE e.pool = l.pool AND e.sort = l.sort))), 0) FROM lanes l)
             > (SELECT count(*) FROM picked) AS some
    )
    SELECT c.* FROM claimed c
    UNION ALL
    (SELECT g.workspace_id, '00000000-0000-0000-0000-000000000000'::uuid, g.kind, '', g.target, m.some::integer, 'null'::jsonb, NULL::uuid, '',
            g.priority::integer, 0, 0, now()
       FROM missed m
       LEFT JOIN groups g ON g.n = 500
      WHERE m.some OR g.n IS NOT NULL);
END $function$;
GRANT EXECUTE ON FUNCTION app.take_jobs(double precision,text[],integer[],integer[],integer,integer[],integer[],integer[],integer[],integer[],uuid[],integer[],integer[],text[],uuid,text,text,integer) TO parley_app;
ALTER FUNCTION app.take_jobs(double precision,text[],integer[],integer[],integer,integer[],integer[],integer[],integer[],integer[],uuid[],integer[],integer[],text[],uuid,text,text,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.use(workspace uuid, moment timestamp with time zone, adding jsonb, limits jsonb, refuse boolean)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
    this_month date := date_trunc('month', moment AT TIME ZONE 'UTC');
    its_month  date := CASE WHEN adding ? 'storage_bytes' THEN '0001-01-01' ELSE this_month END;
    -- The slot is the connection's: two that count at once have different ones, mostly, and one always hits the same row.
    its_slot   smallint := pg_backend_pid() % 32;
    n_turns    bigint := coalesce((adding ->> 'turns')::bigint, 0);
    n_tokens   bigint := coalesce((adding ->> 'tokens')::bigint, 0);
    n_messages bigint := coalesce((adding ->> 'messages')::bigint, 0);
    n_events   bigint := coalesce((adding ->> 'webhook_events')::bigint, 0);
    n_bytes    bigint := coalesce((adding ->> 'storage_bytes')::bigint, 0);
    n_cost     bigint := coalesce((adding ->> 'cost_micros')::bigint, 0);
    limited    boolean;
    m          record;
BEGIN
    -- The row is there but for the first time in a month, and an update is cheaper than an insert that meets a row.
    UPDATE public.usage_counters c
       SET turns = c.turns + n_turns, tokens = c.tokens + n_tokens, messages = c.messages + n_messages,
           webhook_events = c.webhook_events + n_events, storage_bytes = c.storage_bytes + n_bytes, cost_micros = c.cost_micros + n_cost
     WHERE c.workspace_id = workspace AND c.month = its_month AND c.slot = its_slot
    RETURNING EXISTS (SELECT FROM public.workspace_limits o WHERE o.workspace_id = workspace) INTO limited;
    IF NOT FOUND THEN
        INSERT INTO public.usage_counters AS c (workspace_id, month, slot, turns, tokens, messages, webhook_events, storage_bytes, cost_micros)
        VALUES (workspace, its_month, its_slot, n_turns, n_tokens, n_messages, n_events, n_bytes, n_cost)
            ON CONFLICT (workspace_id, month, slot) DO UPDATE
           SET turns = c.turns + excluded.turns, tokens = c.tokens + excluded.tokens, messages = c.messages + excluded.messages,
               webhook_events = c.webhook_events + excluded.webhook_events, storage_bytes = c.storage_bytes + excluded.storage_bytes,
               cost_micros = c.cost_micros + excluded.cost_micros
        RETURNING EXISTS (SELECT FROM public.workspace_limits o WHERE o.workspace_id = workspace) INTO limited;
    END IF;
    IF limits = '{}' AND NOT limited THEN
        RETURN false;
    END IF;
    FOR m IN
        SELECT a.key AS metric, a.value::bigint AS adding, most.n AS most, app.used(workspace, this_month, a.key) - a.value::bigint AS used,
               CASE WHEN a.key = 'cost_micros' AND refuse THEN app.reserved_cost(workspace, NULL) ELSE 0 END AS reserved,
               jsonb_build_object('metric', a.key, 'limit', most.n, 'month', to_char(this_month, 'YYYY-MM'), 'resets_at',
                   CASE WHEN a.key <> 'storage_bytes' THEN to_char(this_month + interval '1 month', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END) AS told
          FROM jsonb_each_text(adding) a
          LEFT JOIN public.workspace_limits o ON o.workspace_id = workspace AND o.metric = a.key
         CROSS JOIN LATERAL (SELECT nullif(coalesce(o.most, (limits ->> a.key)::bigint), 0) AS n) most
         WHERE most.n IS NOT NULL AND a.value::bigint >= 0
           AND NOT (a.key = 'cost_micros' AND refuse AND EXISTS (SELECT FROM public.model_keys k WHERE k.workspace_id = workspace))
         ORDER BY a.key
    LOOP
        IF refuse AND m.used + m.reserved + greatest(m.adding, 1) > m.most THEN
            RAISE EXCEPTION 'the limit of % is reached', m.metric
                USING ERRCODE = 'PYLIM', DETAIL = (m.told || jsonb_build_object('used', m.used) || CASE WHEN m.reserved > 0 THEN jsonb_build_object('reserved', m.reserved) ELSE '{}' END)::text;
        END IF;
        IF m.used + m.adding >= m.most * 0.8 THEN
            INSERT INTO public.usage_warnings (workspace_id, month, metric) VALUES (workspace, this_month, m.metric)
                ON CONFLICT DO NOTHING;
            IF FOUND THEN
                INSERT INTO public.job_queue (workspace_id, id, kind, key, payload, trace_id, max_attempts)
                VALUES (workspace, app.uuid_v7(), 'limit.warn', m.metric || ' ' || this_month,
                        m.told || jsonb_build_object('used', m.used + m.adding), 'limit-warning', 20);
                PERFORM pg_notify('parley_jobs', '');
            END IF;
        END IF;
    END LOOP;
    RETURN limited;
END $function$;
GRANT EXECUTE ON FUNCTION app.use(uuid,timestamp with time zone,jsonb,jsonb,boolean) TO parley_app;

CREATE OR REPLACE FUNCTION app.use_for_caller(workspace uuid, caller uuid, limits jsonb, tokens bigint, micros bigint, moment timestamp with time zone)
 RETURNS void
 LANGUAGE sql
AS $function$
    INSERT INTO public.caller_counts AS c (workspace_id, caller_id, metric, period, began_at, used)
    SELECT workspace, caller, u.metric, l.key, date_trunc(l.key, moment, 'UTC'), u.amount
      FROM (VALUES ('cost_micros', micros), ('tokens', tokens)) u (metric, amount), jsonb_each_text(limits -> u.metric) l
     WHERE u.amount > 0
     ORDER BY u.metric, l.key -- turns that end at once wait for each other in one order
        ON CONFLICT (workspace_id, caller_id, metric, period) DO UPDATE
       SET used = CASE WHEN c.began_at = excluded.began_at THEN c.used + excluded.used WHEN c.began_at > excluded.began_at THEN c.used ELSE excluded.used END,
           began_at = greatest(c.began_at, excluded.began_at);
$function$;
GRANT EXECUTE ON FUNCTION app.use_for_caller(uuid,uuid,jsonb,bigint,bigint,timestamp with time zone) TO parley_app;

CREATE OR REPLACE FUNCTION app.use_sign_in(its_code bytea)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    UPDATE public.sign_ins s SET code_hash = NULL, browser_hash = NULL, challenge = NULL, claims = NULL, code_ends_at = NULL
     WHERE s.code_hash = its_code;
    RETURN FOUND;
END $function$;
GRANT EXECUTE ON FUNCTION app.use_sign_in(bytea) TO parley_app;
ALTER FUNCTION app.use_sign_in(bytea) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.used(workspace uuid, month date, metric text)
 RETURNS bigint
 LANGUAGE sql
 STABLE
AS $function$
    SELECT coalesce(sum(CASE metric WHEN 'turns' THEN c.turns WHEN 'tokens' THEN c.tokens WHEN 'messages' THEN c.messages
                                    WHEN 'webhook_events' THEN c.webhook_events WHEN 'storage_bytes' THEN c.storage_bytes
                                    WHEN 'cost_micros' THEN c.cost_micros END), 0)::bigint
      FROM public.usage_counters c
     WHERE c.workspace_id = workspace AND c.month = CASE metric WHEN 'storage_bytes' THEN '0001-01-01' ELSE used.month END
$function$;
GRANT EXECUTE ON FUNCTION app.used(uuid,date,text) TO parley_app;

CREATE OR REPLACE FUNCTION app.user_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid;
GRANT EXECUTE ON FUNCTION app.user_id() TO public;

CREATE OR REPLACE FUNCTION app.users_to_reseal(mark bytea, after uuid, max_rows integer)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT f.user_id FROM public.account_totp f
     WHERE substring(f.sealed FROM 1 FOR 9) <> mark AND f.user_id > after ORDER BY f.user_id LIMIT max_rows;
$function$;
GRANT EXECUTE ON FUNCTION app.users_to_reseal(bytea,uuid,integer) TO parley_app;
ALTER FUNCTION app.users_to_reseal(bytea,uuid,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.uuid_v7()
 RETURNS uuid
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
             PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
           52, 1), 53, 1), 'hex')::uuid
$function$;
GRANT EXECUTE ON FUNCTION app.uuid_v7() TO public;

CREATE OR REPLACE FUNCTION app.wall(tab regclass)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tab);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tab);
    EXECUTE format($policy$CREATE POLICY tenant ON %s TO parley_app
        USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)
        WITH CHECK (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)$policy$, tab);
    PERFORM app.let_purge(tab);
END $function$;

CREATE OR REPLACE FUNCTION app.with_error(history jsonb, entry jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT jsonb_agg(e ORDER BY n)
      FROM (SELECT e, n FROM jsonb_array_elements(history || entry) WITH ORDINALITY AS a(e, n) ORDER BY n DESC LIMIT 20) last
$function$;
GRANT EXECUTE ON FUNCTION app.with_error(jsonb,jsonb) TO public;

CREATE OR REPLACE FUNCTION app.without_texts(body text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
    SELECT jsonb_set(jsonb_set(jsonb_set(jsonb_set(jsonb_set(jsonb_set(body::jsonb,
           '{data,user_message,content}', '""', false), '{data,assistant_message,content}', '""', false), '{data,channel}', 'null', false),
           '{data,error,message}', '""', false), '{data,error,details}', 'null', false), '{data,last_error}', '""', false)::text
$function$;
GRANT EXECUTE ON FUNCTION app.without_texts(text) TO parley_door;

CREATE OR REPLACE FUNCTION app.word_numbers(tsv tsvector, stems text[])
 RETURNS integer[]
 LANGUAGE sql
 IMMUTABLE
AS $function$
    SELECT coalesce(array_agg(p.position - h.last ORDER BY p.position), '{}')
      FROM (SELECT coalesce(max(a.position), 0) AS last FROM unnest(tsv) u, unnest(u.positions, u.weights) a(position, weight) WHERE a.weight = 'A') h,
           unnest(tsv) u, unnest(u.positions, u.weights) p(position, weight)
     WHERE u.lexeme = ANY (stems) AND p.weight = 'B'
$function$;
GRANT EXECUTE ON FUNCTION app.word_numbers(tsvector,text[]) TO parley_app;

CREATE OR REPLACE FUNCTION app.workspace_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid;
GRANT EXECUTE ON FUNCTION app.workspace_id() TO public;

CREATE OR REPLACE FUNCTION app.workspaces_to_purge(most integer)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT w.id FROM public.workspaces w WHERE w.deleted_at < now() - interval '30 days' ORDER BY w.deleted_at LIMIT most
$function$;
GRANT EXECUTE ON FUNCTION app.workspaces_to_purge(integer) TO parley_app;
ALTER FUNCTION app.workspaces_to_purge(integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.workspaces_to_reseal(mark bytea, model_mark bytea, after uuid, most integer)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT s.workspace_id FROM (
        SELECT m.workspace_id FROM public.model_keys m WHERE substring(m.sealed FROM 1 FOR 9) <> model_mark
         UNION
        SELECT k.workspace_id FROM public.embedding_keys k WHERE substring(k.sealed FROM 1 FOR 9) <> model_mark
         UNION
        SELECT e.workspace_id FROM public.webhook_endpoints e, jsonb_array_elements(e.secrets) k WHERE left(k ->> 'sealed', 12) <> encode(mark, 'base64')
         UNION
        SELECT w.workspace_id FROM public.webhook_subscriptions w, jsonb_array_elements(w.secrets) k WHERE left(k ->> 'sealed', 12) <> encode(mark, 'base64')
         UNION
        SELECT j.workspace_id FROM public.job_queue j WHERE j.kind = 'mail.send' AND left(j.payload ->> 'letter', 12) <> encode(mark, 'base64')
         UNION
        SELECT d.workspace_id FROM public.dead_letter_queue d WHERE d.kind = 'mail.send' AND left(d.payload ->> 'letter', 12) <> encode(mark, 'base64')
         UNION
        SELECT t.workspace_id FROM public.tool_credentials t WHERE substring(t.sealed FROM 1 FOR 9) <> mark
         UNION
        SELECT o.workspace_id FROM public.operations o WHERE o.sealed AND substring(o.body FROM 1 FOR 9) <> mark
         UNION
        SELECT h.workspace_id FROM public.audit_seal_heads h WHERE h.mac IS NOT NULL AND coalesce(h.key_id, '') <> substring(mark FROM 2)
         UNION
        SELECT c.workspace_id FROM public.audit_cuts c WHERE c.key_id <> substring(mark FROM 2)
      ) s
     WHERE s.workspace_id > after ORDER BY s.workspace_id LIMIT most
$function$;
GRANT EXECUTE ON FUNCTION app.workspaces_to_reseal(bytea,bytea,uuid,integer) TO parley_app;
ALTER FUNCTION app.workspaces_to_reseal(bytea,bytea,uuid,integer) OWNER TO parley_door;

CREATE OR REPLACE FUNCTION app.yield_address(addresses text[])
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    self uuid := nullif(current_setting('app.user_id', true), '')::uuid;
BEGIN
    IF EXISTS (SELECT FROM public.users u WHERE u.email = ANY (addresses) AND u.verified_at IS NOT NULL AND u.id <> self) THEN
        RETURN false;
    END IF;
    UPDATE public.users u SET shares_address = true WHERE u.email = ANY (addresses) AND u.verified_at IS NULL AND NOT u.shares_address AND u.id <> self;
    RETURN true;
END $function$;
GRANT EXECUTE ON FUNCTION app.yield_address(text[]) TO parley_app;
ALTER FUNCTION app.yield_address(text[]) OWNER TO parley_door;
