package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/parley/parley/platform/ops/config"
)

const long = "0123456789abcdef0123456789abcdef" // 32 bytes

func TestEveryVariableTakesWhatItShouldAndNothingElse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ good, bad []string }{
		"APP_ENV":                     {[]string{"development"}, []string{"prod", "Production"}},
		"HTTP_ADDR":                   {[]string{":8080", "127.0.0.1:0", "[::1]:80", "localhost:http"}, []string{"8080", "127.0.0.1", "::1:80"}},
		"DATA_DIR":                    {[]string{"/var/lib/parley", "x y"}, nil},
		"SIGN_UP":                     {[]string{"open", "invite", "closed"}, []string{"all", "Open", "open,invite"}},
		"OIDC_PROVIDERS":              {[]string{`[{"id":"a","issuer":"https://a.example","client_id":"x"}]`}, nil}, // oidc_test.go
		"PUBLIC_URL":                  {[]string{"https://api.example.com", "http://127.0.0.1:8080"}, []string{"api.example.com", "https://api.example.com/", "https://api.example.com/parley", "ftp://h"}},
		"EMAIL_VERIFICATION":          {[]string{"required", "optional", "off"}, []string{"on", "true"}},
		"LOG_FORMAT":                  {[]string{"json", "text"}, []string{"xml", "JSON"}},
		"LOG_LEVEL":                   {[]string{"debug", "info", "warn", "error"}, []string{"trace", "info warn", "INFO"}},
		"EMBEDDED":                    {[]string{"true", "false", "1"}, []string{"yes", "embedded"}},
		"DATABASE_URL":                {[]string{"postgres://u:p@h:5432/d", "postgresql://h/d?sslmode=require"}, []string{"mysql://h/d", "host=h dbname=d", "postgres://%zz"}},
		"DATABASE_DIRECT_URL":         {[]string{"postgres://u:p@h:5432/d"}, []string{"h:5432"}},
		"DATABASE_MAX_CONNS":          {[]string{"0", "2", "1000"}, []string{"1", "-1", "1001", "many", "1.5", "99999999999"}},
		"MIGRATE_ON_START":            {[]string{"true", "false"}, []string{"no"}},
		"POSTGRES_BIN_DIR":            {[]string{"/usr/lib/postgresql/15/bin"}, nil},
		"SECRET_KEY":                  {[]string{long, long + long}, []string{long[1:], "x"}},
		"JWT_SECRET":                  {[]string{long}, []string{long[1:], "x"}},
		"JWT_ISSUER":                  {[]string{"acme"}, nil},
		"ACCESS_TTL":                  {[]string{"1s", "15m", "24h"}, []string{"0s", "999ms", "24h1s", "-1m", "15", "soon"}},
		"REFRESH_TTL":                 {[]string{"1m", "336h", "1440h"}, []string{"59s", "1440h1s", "14d"}},
		"LOG_ADDRESS":                 {[]string{"full", "network", "none"}, []string{"some", "203.0.113.7"}},
		"LOG_SAMPLE":                  {[]string{"1", "100", "10000"}, []string{"0", "-1", "10001", "0.5"}},
		"SLOW_STATEMENT":              {[]string{"0s", "1ms", "500ms", "1h"}, []string{"-1s", "999us", "61m", "500"}},
		"METRICS_WORKSPACES":          {[]string{"0", "10", "100"}, []string{"-1", "101", "all"}},
		"POSTGRES_SETTINGS":           {[]string{"shared_buffers=1GB", "shared_buffers=1GB, work_mem=16MB"}, []string{"shared_buffers", "x=1;y", "a=b c", "=1"}},
		"READINESS_STRICT":            {[]string{"true", "false"}, []string{"maybe"}},
		"CORS_ALLOW_ORIGINS":          {[]string{"*", "https://a.example", "http://localhost:3000,https://b.example"}, []string{"a.example", "https://a.example/", "ftp://a.example", "https://", "https://a.example,b", "https://a.example?x=1", "https://u@a.example", "https://a.example#x"}},
		"TRUSTED_PROXIES":             {[]string{"10.0.0.0/8", "10.0.0.1", "2001:db8::/32,::1", "10.0.0.0/8, ::1"}, []string{"10.0.0.0/33", "proxy", "10.0.0", "10.0.0.1,,x"}},
		"BODY_LIMIT":                  {[]string{"1024", "104857600"}, []string{"1023", "104857601", "1MB", "-1"}},
		"REQUEST_TIMEOUT":             {[]string{"1s", "10m"}, []string{"0s", "11m", "30"}},
		"JWT_PREVIOUS_SECRETS":        {[]string{long, long + "," + long}, []string{"short", long + ",short"}},
		"SECRET_PREVIOUS_KEYS":        {[]string{long, long + "," + long, strings.Repeat(long+",", 7) + long}, []string{"short", long + ",short", strings.Repeat(long+",", 8) + long}},
		"REDIS_URL":                   {[]string{"redis://h:1/0", "rediss://u:p@h"}, []string{"h:1", "http://h"}},
		"RATE_LIMIT_MAX":              {[]string{"1", "1000000000"}, []string{"0", "1000000001", "many"}},
		"RATE_LIMIT_WINDOW":           {[]string{"1s", "24h"}, []string{"0s", "25h", "60"}},
		"AUTH_RATE_LIMIT_MAX":         {[]string{"1", "1000000000"}, []string{"0", "1000000001"}},
		"AUTH_RATE_LIMIT_STRANGERS":   {[]string{"1", "1000000000"}, []string{"0", "1000000001"}},
		"FAULT_POINT":                 {[]string{"after-claim", "before-commit:3", "document-chunking:1:stop"}, []string{"nowhere", "after-claim:0", "after-claim:x", "after-claim:stop", "after-claim:1:halt"}},
		"METRICS_ADDR":                {[]string{"127.0.0.1:9090", ":0"}, []string{"9090", "here", "127.0.0.1:8080"}},
		"PPROF":                       {[]string{"true", "false"}, []string{"on", "1"}},
		"OTEL_EXPORTER_OTLP_ENDPOINT": {[]string{"http://127.0.0.1:4318", "https://otel.example"}, []string{"127.0.0.1:4317", "grpc://h:1"}},
		"OTEL_TRACES_SAMPLER_ARG":     {[]string{"0", "0.25", "1"}, []string{"-0.1", "1.1", "NaN", "all"}},
		"SENTRY_DSN":                  {[]string{"https://abc@sentry.example/1"}, []string{"sentry", "https://sentry.example/1", "https://abc@sentry.example"}},
		"UPKEEP_INTERVAL":             {[]string{"100ms", "1h"}, []string{"99ms", "2h", "5"}},
		"MODEL_CONCURRENCY":           {[]string{"2", "256", "100000"}, []string{"1", "0", "100001", "many"}},
		"MODEL_TIMEOUT":               {[]string{"1s", "10m"}, []string{"0s", "11m", "30"}},
		"DELIVERY_CONCURRENCY":        {[]string{"4", "32", "1000"}, []string{"3", "1001", "0", "many"}},
		"ANSWER_CONCURRENCY":          {[]string{"4", "32", "1000"}, []string{"3", "1001", "0", "many"}},
		"WORKERS":                     {[]string{"0", "4", "1000"}, []string{"-1", "1001", "many"}},
		"JOB_POLL_INTERVAL":           {[]string{"10ms", "1h"}, []string{"9ms", "2h", "1"}},
		"JOB_LEASE":                   {[]string{"1s", "10m"}, []string{"999ms", "11m", "30"}},
		"WEBHOOK_ALLOW_PRIVATE":       {[]string{"true", "false"}, []string{"perhaps"}},
		"BREAKER_OPEN_FOR":            {[]string{"10ms", "1h"}, []string{"9ms", "2h", "30"}},
		"SHUTDOWN_DELAY":              {[]string{"0s", "10m"}, []string{"-1s", "11m", "5"}},
		"SHUTDOWN_TIMEOUT":            {[]string{"0s", "10m"}, []string{"-1s", "11m", "30"}},
		"QDRANT_URL":                  {[]string{"http://h:6334", "https://h", "http://[::1]:6334/"}, []string{"h:6334", "qdrant://h:6334", "http://", "http://h:0", "http://h:65536", "http://u:p@h:6334", "http://h:6334/x", "http://h?x=1"}},
		"QDRANT_API_KEY":              {[]string{"abc-_./=123"}, []string{"a b", "a\tb", "schlüssel"}},
		"LIMIT_TURNS_MONTH":           {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many", "1.5", "1e3"}},
		"LIMIT_TOKENS_MONTH":          {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many", "1.5", "1e3"}},
		"LIMIT_MESSAGES_MONTH":        {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many", "1.5", "1e3"}},
		"LIMIT_WEBHOOK_EVENTS_MONTH":  {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many", "1.5", "1e3"}},
		"LIMIT_STORAGE_BYTES":         {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many", "1.5", "1e3"}},
		"CLICKHOUSE_HOST":             {[]string{"h:8123", "http://h:8123", "https://[::1]:8443"}, []string{"h", "http://h", "clickhouse://h:9000", "h:x", "http://u:p@h:8123", "http://h:8123/", "h:8123/db", ":8123"}},
		"CLICKHOUSE_DATABASE":         {[]string{"parley", "p_1"}, []string{"a-b", "1a", "a;b", "a b"}},
		"CLICKHOUSE_USER":             {[]string{"default"}, nil},
		"CLICKHOUSE_PASSWORD":         {[]string{"any thing"}, nil},
		"MODEL_ALLOW":                 {[]string{"echo", "openai/gpt-4o-mini, anthropic/*,echo", "openai/meta/*-8b"}, []string{"gpt-4o", "*", "openai/", "mistral/x", "openai/a,,echo", "openai/a b"}},
		"LIMIT_COST_MONTH":            {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many", "1.5", "1e3"}},
		"MODEL_DEFAULT":               {[]string{"echo"}, []string{"gpt-4o", "openai/gpt-4o", "anthropic/x", "openai/", "mistral/x"}},
		"MODEL_PRICES":                {[]string{`{}`, `{"*": {"window": 8000}, "openai/a": {"input": 0, "output": 1000000000, "cached": 1}}`}, []string{`{"a": {"inputs": 1}}`, `{"a": {"input": -1}}`, `{"a": {"input": 1000000001}}`, `{"a": {"window": -1}}`, `{} {}`, `{`, "/no/such/file", `{"a": {"input": 0.5}}`}},
		"OPENAI_API_KEY":              {[]string{"sk-x"}, []string{"two words", "ключ"}},
		"OPENAI_BASE_URL":             {[]string{"http://127.0.0.1:11434/v1"}, []string{"127.0.0.1:11434", "ftp://h"}},
		"ANTHROPIC_API_KEY":           {[]string{"sk-x"}, []string{"two words"}},
		"ANTHROPIC_BASE_URL":          {[]string{"https://h"}, []string{"h"}},
		"EMBEDDING_BASE_URL":          {nil, []string{"127.0.0.1:11434", "ftp://h"}},
		"EMBEDDING_API_KEY":           {nil, []string{"two words", "ключ"}},
		"EMBEDDING_MODEL":             {nil, []string{"a b", "a,,b", "модель", strings.Repeat("m", 201), "1,2,3,4,5,6,7,8,9"}},
		"EMBEDDING_DIMENSIONS":        {[]string{"0", "256", "4096"}, []string{"-1", "4097", "many"}},
		"EMBEDDING_BATCH_SIZE":        {[]string{"1", "10", "128"}, []string{"0", "129", "many"}},
		"EMBEDDING_QUERY_PREFIX":      {[]string{"query:", strings.Repeat("ü", 500)}, []string{strings.Repeat("ü", 501), "\xff"}},
		"EMBEDDING_PASSAGE_PREFIX":    {[]string{"passage:", "search_document: "}, []string{strings.Repeat("ü", 501)}},
		"EMBEDDING_TIMEOUT":           {[]string{"1s", "1m"}, []string{"0s", "61s", "20"}},
		"RERANK_BASE_URL":             {nil, []string{"127.0.0.1:8000", "ftp://h"}},
		"RERANK_API_KEY":              {nil, []string{"two words", "ключ"}},
		"RERANK_MODEL":                {nil, []string{"a b", "модель", strings.Repeat("m", 201)}},
		"ENCRYPTION_KEY":              {[]string{long}, []string{long[1:], "x"}},
		"ECHO_DELAY":                  {[]string{"0s", "100ms", "1m"}, []string{"-1s", "61s", "30"}},
		"FILE_LIMIT":                  {[]string{"1024", "1073741824"}, []string{"1023", "1073741825", "25MB", "-1"}},
		"TRANSFER_TIMEOUT":            {[]string{"1s", "30m"}, []string{"0s", "31m", "300"}},
		"MINIO_ENDPOINT":              {nil, []string{"minio", "minio:9000", "http://", "http://minio:9000/", "http://minio/bucket", "ftp://minio", "http://u:p@minio"}},
		"MINIO_ACCESS_KEY":            {[]string{"abc", "AKIAIOSFODNN7EXAMPLE"}, []string{"ab", "a bc"}},
		"MINIO_SECRET_KEY":            {[]string{"12345678"}, []string{"1234567", "1234 5678"}},
		"AUDIT_ANCHOR":                {[]string{"files", "none", "/mnt/audit", "./anchor"}, []string{"blob", "yes", "folder"}},
		"MINIO_BUCKET":                {[]string{"parley", "a-1", strings.Repeat("x", 63)}, []string{"ab", "Parley", "a_b", "-ab", "ab-", "a/b", strings.Repeat("x", 64)}},
		"LIMIT_BOTS":                  {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many", "1.5", "1e3"}},
		"LIMIT_MEMBERS":               {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many", "1.5", "1e3"}},
		"LIMIT_INVITATIONS_DAY":       {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many"}},
		"LIMIT_SUBSCRIPTIONS":         {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many"}},
		"LIMIT_TOOLS":                 {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many"}},
		"LIMIT_KNOWLEDGE_BASES":       {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many"}},
		"LIMIT_DOCUMENTS":             {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many"}},
		"LIMIT_CHUNKS":                {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many"}},
		"LIMIT_KNOWLEDGE_BYTES":       {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many"}},
		"LIMIT_END_USERS":             {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many", "1.5", "1e3"}},
		"LIMIT_API_KEYS":              {[]string{"0", "1", "1000000000000000000"}, []string{"-1", "1000000000000000001", "many", "1.5", "1e3"}},
		"SMTP_URL":                    {[]string{"smtp://localhost", "smtp://u:p@mail.example.com:587", "smtps://mail.example.com:465"}, []string{"mail.example.com", "http://mail.example.com", "smtp://", "smtp://h:0", "smtp://h:99999", "smtp://h/path"}},
		"MAIL_FROM":                   {[]string{"a@b", "Parley <parley@example.com>"}, []string{"nobody", "a@b, c@d"}},
		"LIMIT_REQUESTS_MINUTE":       {[]string{"0", "1000000000"}, []string{"-1", "1000000001", "many"}},
	}
	for _, v := range config.Variables() {
		test, ok := tests[v.Name]
		require.True(t, ok, "%s has no test", v.Name)
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			for _, value := range test.good {
				_, err := config.Load([]string{v.Name + "=" + value})
				require.NoError(t, err, value)
			}
			for _, value := range test.bad {
				_, err := config.Load([]string{v.Name + "=" + value})
				require.EqualError(t, err, v.Name+": should be "+v.Want, value)
			}
			_, err := config.Load([]string{v.Name + "="})
			require.NoError(t, err, "an empty value counts as unset")
		})
	}
}

func TestSettingsOfEmbeddingsThatBelongTogetherAreSetTogether(t *testing.T) {
	t.Parallel()
	for _, good := range [][]string{
		{"EMBEDDING_MODEL=m, n", "EMBEDDING_API_KEY=k"}, {"EMBEDDING_MODEL=m", "EMBEDDING_BASE_URL=http://h/v1"},
	} {
		c, err := config.Load(good)
		require.NoError(t, err)
		require.True(t, c.HasEmbeddings())
		require.Equal(t, "m", c.EmbeddingModel[0])
	}
	for setting, want := range map[string]string{
		"EMBEDDING_BASE_URL=http://h/v1": "EMBEDDING_MODEL: must be set beside EMBEDDING_BASE_URL and EMBEDDING_API_KEY, to ",
		"EMBEDDING_API_KEY=k":            "EMBEDDING_MODEL: must be set beside EMBEDDING_BASE_URL and EMBEDDING_API_KEY, to ",
		"EMBEDDING_MODEL=m":              "EMBEDDING_API_KEY: must be set beside EMBEDDING_MODEL where there is no EMBEDDING_BASE_URL, to ",
	} {
		_, err := config.Load([]string{setting})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n", "one line")
	}
}

func TestSettingsOfRerankingThatBelongTogetherAreSetTogether(t *testing.T) {
	t.Parallel()
	_, err := config.Load([]string{"RERANK_BASE_URL=http://h/v1", "RERANK_MODEL=m"})
	require.NoError(t, err)
	for setting, want := range map[string]string{
		"RERANK_BASE_URL=http://h/v1": "RERANK_MODEL: must be set beside RERANK_BASE_URL, to ",
		"RERANK_API_KEY=k":            "RERANK_BASE_URL: must be set beside RERANK_MODEL and RERANK_API_KEY, to ",
		"RERANK_MODEL=m":              "RERANK_BASE_URL: must be set beside RERANK_MODEL and RERANK_API_KEY, to ",
	} {
		_, err := config.Load([]string{setting})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n", "one line")
	}
}

func TestTheDefaultsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	c, err := config.Load(nil)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8080", c.HTTPAddr)
	require.Equal(t, ".parley", c.DataDir)
	require.Equal(t, []time.Duration{15 * time.Minute, 14 * 24 * time.Hour}, []time.Duration{c.AccessTTL, c.RefreshTTL})
	require.EqualValues(t, 1<<20, c.BodyLimit)
	require.False(t, c.Production())
	require.Empty(t, c.Proxies(), "nobody's X-Forwarded-For is believed")
	require.Empty(t, c.CORSOrigins)
}

func TestEverythingWrongIsToldAtOnceALineAVariable(t *testing.T) {
	t.Parallel()
	_, err := config.Load([]string{"BODY_LIMIT=x", "LOG_LEVEL=loud", "ACCESS_TTL=soon", "APP_ENV=production", "EMBEDDED=perhaps", "TRUSTED_PROXIES=x"})
	require.Error(t, err)
	var names []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		name, _, ok := strings.Cut(line, ": ")
		require.True(t, ok, line)
		names = append(names, name)
	}
	require.Equal(t, []string{"LOG_LEVEL", "EMBEDDED", "DATABASE_URL", "SECRET_KEY", "JWT_SECRET", "ACCESS_TTL", "SIGN_UP", "TRUSTED_PROXIES", "BODY_LIMIT"}, names)
}

func TestAnEndpointWithoutItsKeysIsAnError(t *testing.T) {
	t.Parallel()
	endpoint, access, secret := "MINIO_ENDPOINT=http://minio:9000", "MINIO_ACCESS_KEY=parley", "MINIO_SECRET_KEY=parley-secret"
	for _, test := range []struct {
		env, missing []string
	}{
		{[]string{endpoint}, []string{"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"}},
		{[]string{endpoint, access}, []string{"MINIO_SECRET_KEY"}},
		{[]string{endpoint, secret}, []string{"MINIO_ACCESS_KEY"}},
	} {
		_, err := config.Load(test.env)
		for i, line := range strings.Split(err.Error(), "\n") {
			require.True(t, strings.HasPrefix(line, test.missing[i]+": must be set beside MINIO_ENDPOINT"), line)
		}
	}
	for _, good := range []string{"http://minio:9000", "https://s3.example.com", "http://[::1]:9000"} {
		_, err := config.Load([]string{"MINIO_ENDPOINT=" + good, access, secret})
		require.NoError(t, err)
	}
}

func TestNoErrorRepeatsASecret(t *testing.T) {
	t.Parallel()
	for _, v := range config.Variables() {
		if v.Secret {
			_, err := config.Load([]string{v.Name + "=hunter2 postgres"})
			if v.Name == "CLICKHOUSE_PASSWORD" { // any text is one
				require.NoError(t, err)
				continue
			}
			require.ErrorContains(t, err, v.Name)
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
}

func TestProductionWantsItsSecretsOrSaysThatItMeansTheEmbeddedOnes(t *testing.T) {
	t.Parallel()
	url, jwt, key := "DATABASE_URL=postgres://u:p@h/d", "JWT_SECRET="+long, "SECRET_KEY="+long
	tests := map[string]struct {
		env     []string
		missing []string
	}{
		"nothing":          {nil, []string{"DATABASE_URL", "SECRET_KEY", "JWT_SECRET"}},
		"no secret":        {[]string{url, key}, []string{"JWT_SECRET"}},
		"no key":           {[]string{url, jwt}, []string{"SECRET_KEY"}},
		"no database":      {[]string{jwt, key}, []string{"DATABASE_URL"}},
		"empty secret":     {[]string{url, key, "JWT_SECRET="}, []string{"JWT_SECRET"}},
		"all":              {[]string{url, jwt, key}, nil},
		"embedded":         {[]string{"EMBEDDED=true"}, nil},
		"expressly not so": {[]string{"EMBEDDED=false"}, []string{"DATABASE_URL", "SECRET_KEY", "JWT_SECRET"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(append(test.env, "APP_ENV=production", "SIGN_UP=open"))
			if test.missing == nil {
				require.NoError(t, err)
				return
			}
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(test.missing))
			for i, name := range test.missing {
				require.Contains(t, lines[i], name+": must be set in production")
				require.Contains(t, lines[i], "EMBEDDED=true")
			}
			_, err = config.Load(test.env)
			require.NoError(t, err, "development needs none of it")
		})
	}
}

func TestProductionWantsToKnowWhoMayRegisterAndWhereLinksLead(t *testing.T) {
	t.Parallel()
	production := []string{"APP_ENV=production", "EMBEDDED=true"}
	_, err := config.Load(production)
	require.EqualError(t, err, "SIGN_UP: must be set in production, to open, invite or closed: with open, everybody who reaches the API can make an account and a workspace")
	c, err := config.Load(append(production, "SIGN_UP=invite"))
	require.NoError(t, err)
	require.Equal(t, config.SignUpInvite, c.SignUp)
	_, err = config.Load(append(production, "SIGN_UP=open", "SMTP_URL=smtp://h:25"))
	require.ErrorContains(t, err, "PUBLIC_URL: must be set beside SMTP_URL")
	c, err = config.Load(nil)
	require.NoError(t, err)
	require.Equal(t, []string{config.SignUpOpen, "http://127.0.0.1:8080"}, []string{c.SignUp, c.PublicURL})
}

func TestProductionHasLimitsByDefaultAndAnExplicitValueWins(t *testing.T) {
	t.Parallel()
	limits := func(environ ...string) map[string]int64 {
		c, err := config.Load(append([]string{"EMBEDDED=true", "SIGN_UP=open"}, environ...))
		require.NoError(t, err)
		return map[string]int64{
			"LIMIT_REQUESTS_MINUTE": int64(c.LimitRequests), "LIMIT_STORAGE_BYTES": c.LimitStorage,
			"LIMIT_MEMBERS": c.LimitMembers, "LIMIT_API_KEYS": c.LimitKeys, "LIMIT_END_USERS": c.LimitEndUsers,
		}
	}
	for name, limit := range limits() {
		require.Zero(t, limit, "%s bounds nothing in development", name)
	}
	for name, limit := range limits("APP_ENV=production") {
		require.Positive(t, limit, name)
		require.Zero(t, limits("APP_ENV=production", name+"=0")[name], "0 still means that there is no limit")
		require.EqualValues(t, 7, limits("APP_ENV=production", name+"=7")[name])
		require.Equal(t, limit, limits("APP_ENV=production", name+"=")[name], "an empty value counts as unset")
		require.Contains(t, config.Example(), fmt.Sprintf("in production %d", limit), name)
	}
}

func TestAProductionDefaultIsWhatItsVariableTakes(t *testing.T) {
	t.Parallel()
	for _, v := range config.Variables() {
		if v.Production != "" {
			_, err := config.Load([]string{v.Name + "=" + v.Production})
			require.NoError(t, err, v.Name)
			require.NotEqual(t, v.Default, v.Production, v.Name)
		}
	}
}

func TestMigrationsGoPastThePooler(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{"DATABASE_URL=postgres://pooler/d"})
	require.NoError(t, err)
	require.Equal(t, "postgres://pooler/d", c.DirectURL())
	c, err = config.Load([]string{"DATABASE_URL=postgres://pooler/d", "DATABASE_DIRECT_URL=postgres://direct/d"})
	require.NoError(t, err)
	require.Equal(t, "postgres://direct/d", c.DirectURL())
}

func TestTheExampleIsThatOfTheCode(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("../../../env.example")
	require.NoError(t, err)
	require.Equal(t, config.Example(), string(file), "run make generate")
	var environ []string
	for line := range strings.Lines(string(file)) {
		if !strings.HasPrefix(line, "#") {
			environ = append(environ, strings.TrimSpace(line))
		}
	}
	c, err := config.Load(environ)
	require.NoError(t, err)
	plain, err := config.Load(nil)
	require.NoError(t, err)
	require.Equal(t, plain, c, "the example says something else than the defaults")
	for _, v := range config.Variables() {
		require.NotEmpty(t, v.Help, v.Name)
		require.NotEmpty(t, v.Want, v.Name)
	}
}

func TestHideLeavesNoSecretInAText(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{
		"DATABASE_URL=postgres://ada:p%40ss@h/d", "REDIS_URL=redis://:hunter2@h:1/0", "QDRANT_API_KEY=the-key",
		"JWT_PREVIOUS_SECRETS=" + long + "1," + long + "2",
	})
	require.NoError(t, err)
	hidden := c.Hide("postgres://ada:p%40ss@h/d and p@ss and p%40ss; redis says hunter2; the-key; " + long + "2; host h")
	require.Equal(t, "*** and *** and ***; redis says ***; ***; ***; host h", hidden)

	c, err = config.Load([]string{"SENTRY_DSN=https://the-sentry-key@h/1", "DATABASE_URL=postgres://h/d?user=ada&password=hunter2"})
	require.NoError(t, err)
	require.Equal(t, "key ***, password ***, user ada", c.Hide("key the-sentry-key, password hunter2, user ada"))
}

func TestAModelIsTheDefaultOnlyWhereItCanBeAsked(t *testing.T) {
	t.Parallel()
	for _, set := range [][]string{
		{"MODEL_DEFAULT=openai/a", "OPENAI_API_KEY=sk"}, {"MODEL_DEFAULT=openai/a", "OPENAI_BASE_URL=http://h"}, {"MODEL_DEFAULT=anthropic/a", "ANTHROPIC_API_KEY=sk"},
	} {
		_, err := config.Load(set)
		require.NoError(t, err)
	}
	_, err := config.Load([]string{"MODEL_DEFAULT=anthropic/a", "ANTHROPIC_BASE_URL=http://h"})
	require.ErrorContains(t, err, "MODEL_DEFAULT")
	file := filepath.Join(t.TempDir(), "prices.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"openai/a": {"window": 7}}`), 0o600))
	c, err := config.Load([]string{"MODEL_PRICES=" + file})
	require.NoError(t, err)
	require.Equal(t, map[string]config.ModelPrice{"openai/a": {Window: 7}}, c.ModelTable())
}

func TestASecretIsReadFromAFile(t *testing.T) {
	t.Parallel()
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	for _, v := range config.Variables() {
		if !v.Secret {
			continue
		}
		_, err := config.Load([]string{v.Name + "_FILE=/nowhere/at/all"})
		require.ErrorContains(t, err, v.Name+"_FILE: should be a file that can be read")
	}
	c, err := config.Load([]string{"JWT_SECRET_FILE=" + file(long+"\n"), "DATABASE_URL_FILE=" + file("postgres://u:p@h/d\r\n")})
	require.NoError(t, err)
	require.Equal(t, long, c.JWTSecret)
	require.Equal(t, "postgres://u:p@h/d", c.DatabaseURL)
	_, err = config.Load([]string{"JWT_SECRET_FILE=" + file("\n")})
	require.ErrorContains(t, err, "JWT_SECRET_FILE: should be a file with a secret in it")
	_, err = config.Load([]string{"JWT_SECRET=" + long, "JWT_SECRET_FILE=" + file(long)})
	require.ErrorContains(t, err, "JWT_SECRET_FILE: should not be set beside JWT_SECRET")
	require.NotContains(t, err.Error(), long)
	_, err = config.Load([]string{"HTTP_ADDR_FILE=/nowhere"})
	require.NoError(t, err, "it is no secret")
}

func TestOnlyAProgramForItsOwnMachineIsLocalDevelopment(t *testing.T) {
	t.Parallel()
	for address, local := range map[string]bool{
		"127.0.0.1:8080": true, "127.9.9.9:0": true, "[::1]:8080": true, "localhost:8080": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "10.0.0.1:8080": false, "parley.example:8080": false, "localhost.example:80": false,
	} {
		require.Equal(t, local, (&config.Config{AppEnv: "development", HTTPAddr: address}).LocalDevelopment(), address)
		require.False(t, (&config.Config{AppEnv: "production", HTTPAddr: address}).LocalDevelopment(), address)
	}
}
