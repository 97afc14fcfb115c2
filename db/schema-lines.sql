-- What a database has in our schemas, a line a thing, in words that are the same on every major version of Postgres and
-- for every owner. parley migrate and parley check compare it with schema.txt and migrations.sum.
SELECT regexp_replace(line, '\s+', ' ', 'g') AS line FROM (
  SELECT format('table %s: %s, row security %s, forced %s', c.oid::regclass, c.relkind, c.relrowsecurity, c.relforcerowsecurity)
    FROM pg_class c WHERE c.relnamespace::regnamespace::text IN ('public', 'app') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION ALL
  SELECT format('column %s.%s: %s%s%s%s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
                CASE WHEN a.attnotnull AND c.relkind <> 'v' THEN ' not null' END, ' default ' || pg_get_expr(d.adbin, d.adrelid),
                ' identity ' || nullif(a.attidentity::text, ''))
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE c.relnamespace::regnamespace::text IN ('public', 'app') AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT format('constraint %s on %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE connamespace::regnamespace::text IN ('public', 'app') AND contype IN ('c', 'f', 'p', 'u', 'x')
  UNION ALL
  SELECT format('index %s: %s%s', i.indexrelid::regclass, pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN ', invalid' END)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace::regnamespace::text IN ('public', 'app')
  UNION ALL
  SELECT format('policy %s on %s: for %s to %s, permissive %s, using %s, check %s', polname, polrelid::regclass, polcmd,
                (SELECT string_agg(CASE WHEN r = 0 THEN 'public' ELSE r::regrole::text END, ', ' ORDER BY r::regrole::text) FROM unnest(polroles) r),
                polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace::regnamespace::text IN ('public', 'app')
  UNION ALL
  SELECT format('function %s: returns %s, language %s, %s, definer %s, strict %s, set %s, owner %s, body %s', p.oid::regprocedure,
                pg_get_function_result(p.oid), l.lanname, p.provolatile, p.prosecdef, p.proisstrict, p.proconfig,
                CASE WHEN r.rolname ~ '^parley_' THEN r.rolname ELSE 'that of the schema' END, md5(coalesce(p.prosrc, '')))
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_roles r ON r.oid = p.proowner
   WHERE p.pronamespace::regnamespace::text IN ('public', 'app')
  UNION ALL
  -- Postgres 15 names the table of each column, later ones only where they must.
  SELECT format('view %s: %s', c.oid::regclass, regexp_replace(pg_get_viewdef(c.oid), '\m[a-z_]+\.', '', 'g'))
    FROM pg_class c WHERE c.relnamespace::regnamespace::text IN ('public', 'app') AND c.relkind = 'v'
  UNION ALL
  SELECT format('trigger %s on %s: %s', t.tgname, t.tgrelid::regclass, pg_get_triggerdef(t.oid))
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
   WHERE NOT t.tgisinternal AND c.relnamespace::regnamespace::text IN ('public', 'app')
  UNION ALL
  SELECT format('type %s', oid::regtype) FROM pg_type WHERE typnamespace::regnamespace::text IN ('public', 'app') AND typtype IN ('e', 'd')
  UNION ALL
  SELECT format('right %s on %s to %s', g.privilege_type, g.what, CASE WHEN g.grantee = 0 THEN 'public' ELSE g.grantee::regrole::text END)
    FROM (
      SELECT 'schema ' || n.nspname AS what, n.nspowner AS owner, x.grantee, x.privilege_type
        FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) x WHERE n.nspname = 'app'
      UNION ALL
      SELECT 'table ' || c.oid::regclass, c.relowner, x.grantee, x.privilege_type
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) x
       WHERE c.relnamespace::regnamespace::text IN ('public', 'app') AND c.relkind IN ('r', 'p', 'v')
      UNION ALL
      SELECT format('column %s.%s', a.attrelid::regclass, a.attname), c.relowner, x.grantee, x.privilege_type
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid CROSS JOIN LATERAL aclexplode(a.attacl) x
       WHERE c.relnamespace::regnamespace::text IN ('public', 'app') AND NOT a.attisdropped
      UNION ALL
      SELECT 'function ' || p.oid::regprocedure, p.proowner, x.grantee, x.privilege_type
        FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
       WHERE p.pronamespace::regnamespace::text IN ('public', 'app')
    ) g
   WHERE g.grantee <> g.owner
) things(line)
 WHERE line !~ 'schema_migrations\M'
 ORDER BY line COLLATE "C"
