-- Every column has its name in each part: PostgreSQL gives those without one another name when a dump is restored, and the
-- schema was then not the expected one.
CREATE OR REPLACE VIEW app.resources WITH (security_invoker = true) AS
    SELECT r.workspace_id, r.kind, r.id, r.name, r.status, r.created_by, r.responsible_id,
           coalesce(k.responsible_id, k.created_by, r.responsible_id) AS member_id, r.created_at, r.stopped_at
      FROM (SELECT a.workspace_id, 'api_key' AS kind, a.id, a.name, CASE WHEN a.suspended_at IS NULL THEN 'active' ELSE 'suspended' END AS status,
                   a.created_by, coalesce(a.responsible_id, a.created_by) AS responsible_id, a.created_at, a.suspended_at AS stopped_at
              FROM public.api_keys a
             WHERE a.revoked_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > now())
            UNION ALL
            SELECT s.workspace_id, 'webhook_subscription' AS kind, s.id, s.url, CASE WHEN s.held_at IS NULL THEN s.status ELSE 'held' END AS status,
                   s.created_by, coalesce(s.responsible_id, s.created_by), s.created_at, s.held_at
              FROM public.webhook_subscriptions s
             WHERE s.deleted_at IS NULL
            UNION ALL
            SELECT e.workspace_id, 'webhook_endpoint' AS kind, e.id, e.name, e.status, e.created_by, coalesce(e.responsible_id, e.created_by), e.created_at, NULL AS stopped_at
              FROM public.webhook_endpoints e
             WHERE e.deleted_at IS NULL) r
      LEFT JOIN public.api_keys k ON k.workspace_id = r.workspace_id AND k.id = r.responsible_id;
