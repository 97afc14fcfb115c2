// Package config reads the configuration from the environment, once, at the start. It reports all errors together, one
// line for each variable.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/parley/parley/platform/ops/fault"
)

// Config is the whole configuration. env.example is generated from its tags: env is the name of a variable, envDefault
// the value used when it is unset, and production the value used when it is unset and APP_ENV is production, if that
// differs.
type Config struct {
	Version        string        // of the program, which the environment does not say
	AppEnv         string        `env:"APP_ENV" envDefault:"development" want:"development or production" help:"production refuses what is only fit for development, and has limits by default: those below with a second default"`
	HTTPAddr       string        `env:"HTTP_ADDR" envDefault:"127.0.0.1:8080" want:"host:port" help:"where the API listens"`
	MetricsAddr    string        `env:"METRICS_ADDR" want:"host:port, another than HTTP_ADDR" help:"where /metrics is for a Prometheus, not to be reached from outside; empty: nowhere"`
	Profiles       string        `env:"PPROF" want:"true or false" help:"true: /debug/pprof at METRICS_ADDR; empty: outside production"`
	TraceEndpoint  string        `env:"OTEL_EXPORTER_OTLP_ENDPOINT" want:"http(s)://host:port" help:"an OpenTelemetry collector that is sent traces, by OTLP over HTTP; empty: no traces are made"`
	TraceShare     float64       `env:"OTEL_TRACES_SAMPLER_ARG" envDefault:"1" want:"a number from 0 to 1" help:"the share of traces that is sent; a traceparent is taken over, but what it says of sampling is not"`
	SentryDSN      string        `env:"SENTRY_DSN" want:"https://key@host/project" secret:"true" help:"a Sentry that receives errors, without personal data; empty: none"`
	DataDir        string        `env:"DATA_DIR" envDefault:".parley" want:"a folder" help:"the embedded database, the files that are uploaded, and the secrets made at the first start"`
	LogFormat      string        `env:"LOG_FORMAT" envDefault:"json" want:"json or text" help:"json for machines, text for people"`
	LogLevel       string        `env:"LOG_LEVEL" envDefault:"info" want:"debug, info, warn or error" help:"the least that is logged"`
	LogAddress     string        `env:"LOG_ADDRESS" envDefault:"network" want:"full, network or none" help:"what the log says of where a call came from: the address, its network (a /24 of IPv4, a /48 of IPv6), or nothing"`
	LogSample      int           `env:"LOG_SAMPLE" envDefault:"1" want:"a whole number from 1 to 10000" help:"one of so many calls that went well is logged, with the number in its line (sample); what failed, or took more than a second, always is"`
	SlowStatement  time.Duration `env:"SLOW_STATEMENT" envDefault:"500ms" want:"a duration from 1ms to 1h such as 500ms, or 0s" help:"a statement of the database that takes so long is logged, with the name of its query and without its values, ten in a second at the most; 0s: none is"`
	TopWorkspaces  int           `env:"METRICS_WORKSPACES" envDefault:"10" want:"a whole number from 0 to 100" help:"how many workspaces the metrics name by their ids, those with most calls, jobs, tokens and so on of the last five minutes; all others are counted as other; 0: none is named"`
	Embedded       bool          `env:"EMBEDDED" envDefault:"false" want:"true or false" help:"true: the embedded database is meant, also in production"`
	DatabaseURL    string        `env:"DATABASE_URL" want:"postgres://user:password@host:port/database" secret:"true" help:"a Postgres of yours, 15 or newer; empty: an embedded one under DATA_DIR"`
	DatabaseDirect string        `env:"DATABASE_DIRECT_URL" want:"postgres://user:password@host:port/database" secret:"true" help:"the same database past a pooler, for migrations and notifications; empty: DATABASE_URL"`
	DatabaseConns  int32         `env:"DATABASE_MAX_CONNS" envDefault:"0" want:"a whole number from 2 to 1000, or 0" help:"connections that this process holds at the most; 0: five a core, from 10 to 20"`
	MigrateOnStart bool          `env:"MIGRATE_ON_START" envDefault:"true" want:"true or false" help:"false: run parley migrate up yourself"`
	PostgresConf   []string      `env:"POSTGRES_SETTINGS" want:"settings of PostgreSQL such as shared_buffers=1GB, separated by commas" help:"for the embedded database, in place of what is made of the machine's memory"`
	PostgresBinDir string        `env:"POSTGRES_BIN_DIR" want:"a folder with initdb and postgres" help:"where the embedded database's programs are; empty: they are looked for"`
	SecretKey      string        `env:"SECRET_KEY" want:"at least 32 bytes" secret:"true" help:"master secret for cursors, operation fingerprints, audit seals and webhook secrets, the same in every process; another one is refused unless the former one is in SECRET_PREVIOUS_KEYS; empty: made once and kept under DATA_DIR, but not in production"`
	SecretPrevious []string      `env:"SECRET_PREVIOUS_KEYS" want:"up to 8 keys of at least 32 bytes each, separated by commas" secret:"true" help:"other values of SECRET_KEY, and of ENCRYPTION_KEY, that still read and verify but write nothing; to change a key over many processes first add the new one here everywhere, then swap them, then run parley secret rotate and take the former one out"`
	JWTSecret      string        `env:"JWT_SECRET" want:"at least 32 bytes" secret:"true" help:"signs the access and refresh tokens; empty: made once and kept under DATA_DIR"`
	JWTPrevious    []string      `env:"JWT_PREVIOUS_SECRETS" want:"secrets of at least 32 bytes, separated by commas" secret:"true" help:"still verify tokens but sign none; to change JWT_SECRET over many processes first add the new one here everywhere, then swap"`
	JWTIssuer      string        `env:"JWT_ISSUER" envDefault:"parley" want:"a name" help:"the iss and aud of the tokens"`
	AccessTTL      time.Duration `env:"ACCESS_TTL" envDefault:"15m" want:"a duration from 1s to 24h such as 15m" help:"how long an access token is good"`
	RefreshTTL     time.Duration `env:"REFRESH_TTL" envDefault:"336h" want:"a duration from 1m to 1440h such as 336h" help:"how long an unused session lives"`
	SignUp         string        `env:"SIGN_UP" want:"open, invite or closed" help:"who may make an account: open, whoever finds the API; invite, people with an invitation; closed, nobody but parley users create; empty: open, but not in production, where it must be set"`
	OIDC           string        `env:"OIDC_PROVIDERS" want:"a JSON array such as [{\"id\": \"google\", \"name\": \"Google\", \"issuer\": \"https://accounts.google.com\", \"client_id\": \"x\", \"client_secret\": \"x\"}]" secret:"true" help:"identity providers that people may sign in with, by OpenID Connect, beside passwords: the guide Single sign-on has all keys; empty: none"`
	Strict         bool          `env:"READINESS_STRICT" envDefault:"false" want:"true or false" help:"true: /readyz fails without Redis, ClickHouse, MinIO or Qdrant too, which takes every process out at once that loses one"`
	CORSOrigins    []string      `env:"CORS_ALLOW_ORIGINS" want:"origins such as https://app.example.com, separated by commas, or *" help:"web pages that may call the API; empty: none but its own"`
	TrustedProxies []string      `env:"TRUSTED_PROXIES" want:"addresses or networks such as 10.0.0.0/8, separated by commas" help:"whose X-Forwarded-For is believed; empty: nobody's"`
	RedisURL       string        `env:"REDIS_URL" want:"redis://user:password@host:port/0" secret:"true" help:"a Redis that processes share rate limits and finished answers through; empty: each process keeps its own"`
	QdrantURL      string        `env:"QDRANT_URL" want:"http://host:6334 or https://host:6334, the port of its gRPC" help:"a Qdrant that keeps vectors; empty: Postgres keeps them, up to 100000 of a workspace in a collection"`
	QdrantKey      string        `env:"QDRANT_API_KEY" want:"a key without spaces" secret:"true" help:"the key that this Qdrant wants; empty: none"`
	ClickHouseHost string        `env:"CLICKHOUSE_HOST" want:"host:port, http://host:port or https://host:port" help:"the HTTP interface of a ClickHouse that what is counted for analytics goes to; empty: it stays in the database"`
	ClickHouseDB   string        `env:"CLICKHOUSE_DATABASE" envDefault:"parley" want:"letters, digits and underscores" help:"the database there, made where it is missing"`
	ClickHouseUser string        `env:"CLICKHOUSE_USER" envDefault:"default" want:"a name" help:"the user there"`
	ClickHousePass string        `env:"CLICKHOUSE_PASSWORD" want:"a password" secret:"true" help:"the password there"`
	SMTPURL        string        `env:"SMTP_URL" want:"smtp://user:password@host:587, or smtps://user:password@host:465" secret:"true" help:"the mail server that invitations go out by; empty: none goes out, and whoever invites passes the token on"`
	MailFrom       string        `env:"MAIL_FROM" envDefault:"parley@localhost" want:"an address" help:"the sender of mail"`
	PublicURL      string        `env:"PUBLIC_URL" want:"http(s)://host without a path" help:"the address that people reach this service at, which links in emails begin with; empty: HTTP_ADDR, but not in production with SMTP_URL"`
	Verification   string        `env:"EMAIL_VERIFICATION" want:"required, optional or off" help:"whether new accounts get an email that proves their address: required, they do, and before that they neither invite nor use the keys for models below, nor block the address; optional, they do and nothing depends on it; off, they do not; empty: optional, but required in production with SMTP_URL"`
	RateMax        int           `env:"RATE_LIMIT_MAX" envDefault:"600" want:"a whole number from 1 to 1000000000" help:"calls in a window: of a user over all workspaces, of all API keys of a workspace together, of an address that is not signed in"`
	RateWindow     time.Duration `env:"RATE_LIMIT_WINDOW" envDefault:"1m" want:"a duration from 1s to 24h such as 1m" help:"the window of the rate limits"`
	AuthRateMax    int           `env:"AUTH_RATE_LIMIT_MAX" envDefault:"20" want:"a whole number from 1 to 1000000000" help:"registrations and log-ins a minute, for each address of IPv4 or /64 of IPv6; twice as many for a /56, four times for a /48"`
	AuthNewClients int           `env:"AUTH_RATE_LIMIT_STRANGERS" envDefault:"600" want:"a whole number from 1 to 1000000000" help:"registrations and log-ins a minute of all networks and devices together that nobody has logged in from before"`
	LimitTurns     int64         `env:"LIMIT_TURNS_MONTH" envDefault:"0" want:"a whole number from 0 to 1000000000000000000" help:"turns of a workspace in a month; 0: no limit, here and below; parley limits sets others for single workspaces"`
	LimitTokens    int64         `env:"LIMIT_TOKENS_MONTH" envDefault:"0" want:"a whole number from 0 to 1000000000000000000" help:"tokens of a workspace's turns in a month"`
	LimitMessages  int64         `env:"LIMIT_MESSAGES_MONTH" envDefault:"0" want:"a whole number from 0 to 1000000000000000000" help:"messages of a workspace's users and bots in a month"`
	LimitCost      int64         `env:"LIMIT_COST_MONTH" envDefault:"0" want:"a whole number from 0 to 1000000000000000000" help:"what turns and embeddings of a workspace may cost in a month on the keys below, in millionths of your currency by MODEL_PRICES; a model without a price costs nothing"`
	LimitEvents    int64         `env:"LIMIT_WEBHOOK_EVENTS_MONTH" envDefault:"0" want:"a whole number from 0 to 1000000000000000000" help:"webhook events that a workspace takes in in a month"`
	LimitStorage   int64         `env:"LIMIT_STORAGE_BYTES" envDefault:"0" production:"10737418240" want:"bytes, from 0 to 1000000000000000000" help:"what a workspace may keep at a time"`
	LimitBots      int64         `env:"LIMIT_BOTS" envDefault:"0" want:"a whole number from 0 to 1000000000000000000" help:"bots of a workspace that are not archived"`
	LimitMembers   int64         `env:"LIMIT_MEMBERS" envDefault:"0" production:"100" want:"a whole number from 0 to 1000000000000000000" help:"members of a workspace"`
	LimitKeys      int64         `env:"LIMIT_API_KEYS" envDefault:"0" production:"50" want:"a whole number from 0 to 1000000000000000000" help:"API keys of a workspace that are not revoked"`
	LimitEndUsers  int64         `env:"LIMIT_END_USERS" envDefault:"0" production:"20000" want:"a whole number from 0 to 1000000000000000000" help:"end users of a workspace; anonymous ones without a thread are removed a day after their last token has expired"`
	LimitSubs      int64         `env:"LIMIT_SUBSCRIPTIONS" envDefault:"20" want:"a whole number from 0 to 1000000000000000000" help:"webhook subscriptions of a workspace; each event is delivered to every one that wants it; 0: no limit"`
	LimitBases     int64         `env:"LIMIT_KNOWLEDGE_BASES" envDefault:"0" production:"100" want:"a whole number from 0 to 1000000000000000000" help:"knowledge bases of a workspace"`
	LimitTools     int64         `env:"LIMIT_TOOLS" envDefault:"0" production:"500" want:"a whole number from 0 to 1000000000000000000" help:"tools of a workspace"`
	LimitDocuments int64         `env:"LIMIT_DOCUMENTS" envDefault:"0" production:"10000" want:"a whole number from 0 to 1000000000000000000" help:"documents of a workspace in all its knowledge bases"`
	LimitChunks    int64         `env:"LIMIT_CHUNKS" envDefault:"0" production:"200000" want:"a whole number from 0 to 1000000000000000000" help:"chunks of a workspace's documents, which searches look through"`
	LimitKnowledge int64         `env:"LIMIT_KNOWLEDGE_BYTES" envDefault:"0" production:"1073741824" want:"bytes, from 0 to 1000000000000000000" help:"text of a workspace's documents"`
	LimitInvites   int64         `env:"LIMIT_INVITATIONS_DAY" envDefault:"50" want:"a whole number from 0 to 1000000000000000000" help:"invitations of a workspace in a day, and of a person in all workspaces; 0: no limit; parley limits does not change it"`
	LimitRequests  int           `env:"LIMIT_REQUESTS_MINUTE" envDefault:"0" production:"6000" want:"a whole number from 0 to 1000000000" help:"calls a minute of all users and keys of a workspace, counted where each is signed in; parley limits does not change it"`
	FaultPoint     string        `env:"FAULT_POINT" want:"empty, or outside production one of after-claim, before-commit, after-commit, after-model-call, with :n for the nth time, and :n:stop to stop there" help:"for tests: the process kills itself there"`
	BodyLimit      int64         `env:"BODY_LIMIT" envDefault:"1048576" want:"bytes, from 1024 to 104857600" help:"the largest request body, in bytes"`
	RequestTimeout time.Duration `env:"REQUEST_TIMEOUT" envDefault:"30s" want:"a duration from 1s to 10m such as 30s" help:"how long one request may take"`
	FileLimit      int64         `env:"FILE_LIMIT" envDefault:"26214400" want:"bytes, from 1024 to 1073741824" help:"the largest file that may be uploaded, in bytes"`
	TransferTime   time.Duration `env:"TRANSFER_TIMEOUT" envDefault:"5m" want:"a duration from 1s to 30m such as 5m" help:"how long the upload or download of a file may take"`
	MinioEndpoint  string        `env:"MINIO_ENDPOINT" want:"http(s)://host:port" help:"a MinIO or other S3 that keeps the files; empty: a folder under DATA_DIR, which then all processes must share"`
	MinioAccess    string        `env:"MINIO_ACCESS_KEY" want:"at least 3 characters without spaces" secret:"true" help:"who we are at MINIO_ENDPOINT"`
	MinioSecret    string        `env:"MINIO_SECRET_KEY" want:"at least 8 characters without spaces" secret:"true" help:"the secret of MINIO_ACCESS_KEY"`
	MinioBucket    string        `env:"MINIO_BUCKET" envDefault:"parley" want:"3 to 63 lower-case letters, digits and dashes" help:"the bucket there, made where it is missing; nothing else may be in it"`
	AuditAnchor    string        `env:"AUDIT_ANCHOR" want:"files, none, or a folder such as /mnt/audit that all processes share" help:"where the ends of the audit logs are written to outside the database, so that what is removed from an end shows; files: where uploaded files are kept; empty: with the embedded database a folder under DATA_DIR, else none"`
	ModelTimeout   time.Duration `env:"MODEL_TIMEOUT" envDefault:"60s" want:"a duration from 1s to 10m such as 60s" help:"how long a model may take to answer"`
	ModelAtOnce    int           `env:"MODEL_CONCURRENCY" envDefault:"256" want:"a whole number from 2 to 100000" help:"turns that this process runs at once; a workspace gets two thirds of them while it is alone, and less the more others there are"`
	ModelAllow     []string      `env:"MODEL_ALLOW" want:"models such as openai/gpt-4o-mini, openai/gpt-4o* or echo, separated by commas; * stands for any text" help:"models that are served with the keys below; MODEL_DEFAULT and those with prices of their own are in any case, and keys that workspaces bring serve all; empty: all, in production only those with prices, and echo"`
	ModelDefault   string        `env:"MODEL_DEFAULT" envDefault:"echo" want:"echo, or openai/name or anthropic/name of a provider whose key or address is set" help:"what answers where neither a bot nor its workspace names a model"`
	ModelPrices    string        `env:"MODEL_PRICES" want:"JSON or a file with it, such as {\"openai/gpt-4o-mini\": {\"input\": 150000, \"output\": 600000, \"cached\": 75000, \"window\": 128000}}" help:"what models cost, in millionths of your currency for a million tokens, and the tokens that fit into their windows; * is for all others; empty: no costs, 32000 tokens"`
	OpenAIKey      string        `env:"OPENAI_API_KEY" want:"a key without spaces" secret:"true" help:"of OpenAI, or of the server at OPENAI_BASE_URL; empty: that server wants none, or workspaces bring their own"`
	OpenAIURL      string        `env:"OPENAI_BASE_URL" want:"http:// or https:// URL such as http://127.0.0.1:11434/v1" help:"a server that speaks OpenAI's Chat Completions: Azure (the query is kept), Mistral, Groq, Ollama, vLLM, llama.cpp; empty: OpenAI itself"`
	AnthropicKey   string        `env:"ANTHROPIC_API_KEY" want:"a key without spaces" secret:"true" help:"of Anthropic; empty: workspaces bring their own"`
	AnthropicURL   string        `env:"ANTHROPIC_BASE_URL" want:"http:// or https:// URL" help:"another address than Anthropic's own"`
	EmbeddingURL   string        `env:"EMBEDDING_BASE_URL" want:"http:// or https:// URL such as http://127.0.0.1:11434/v1" help:"a server that speaks OpenAI's embeddings API, which knowledge bases with an embedding_model are searched with: Azure (the query is kept), Mistral, DashScope, Ollama, vLLM, llama.cpp; empty: OpenAI itself"`
	EmbeddingKey   string        `env:"EMBEDDING_API_KEY" want:"a key without spaces" secret:"true" help:"of OpenAI, or of the server at EMBEDDING_BASE_URL; empty: that server wants none"`
	EmbeddingModel []string      `env:"EMBEDDING_MODEL" want:"up to 8 names of embedding models such as text-embedding-3-small, separated by commas" help:"the models that knowledge bases may have as embedding_model; empty: knowledge bases are searched by words only"`
	EmbeddingDims  int           `env:"EMBEDDING_DIMENSIONS" envDefault:"0" want:"a whole number from 0 to 4096" help:"the number of dimensions that models are asked for, which not all support; 0: they are asked for none"`
	EmbeddingBatch int           `env:"EMBEDDING_BATCH_SIZE" envDefault:"10" want:"a whole number from 1 to 128" help:"texts in one call of an embedding model; fewer where the server refuses so many"`
	EmbeddingQuery string        `env:"EMBEDDING_QUERY_PREFIX" want:"up to 500 characters such as query:" help:"what is put before each text that is searched for, and a space after it, for models that were trained so"`
	EmbeddingText  string        `env:"EMBEDDING_PASSAGE_PREFIX" want:"up to 500 characters such as passage:" help:"what is put before each text that is to be found, and a space after it; when it changes, reindex the knowledge bases"`
	EmbeddingTime  time.Duration `env:"EMBEDDING_TIMEOUT" envDefault:"20s" want:"a duration from 1s to 1m such as 20s" help:"how long an embedding model may take to answer one call"`
	RerankURL      string        `env:"RERANK_BASE_URL" want:"http:// or https:// URL such as https://api.jina.ai/v1" help:"a server of a reranking model, which searches that ask for it are sorted by: Cohere, Jina, vLLM and others that have /rerank; empty: there is none"`
	RerankKey      string        `env:"RERANK_API_KEY" want:"a key without spaces" secret:"true" help:"of the server at RERANK_BASE_URL; empty: that server wants none"`
	RerankModel    string        `env:"RERANK_MODEL" want:"a name such as jina-reranker-v2-base-multilingual" help:"the model at RERANK_BASE_URL"`
	EncryptionKey  string        `env:"ENCRYPTION_KEY" want:"at least 32 bytes" secret:"true" help:"encrypts the keys for models that workspaces bring, the same in every process; a former one belongs into SECRET_PREVIOUS_KEYS until parley secret rotate has run; empty: SECRET_KEY does it"`
	EchoDelay      time.Duration `env:"ECHO_DELAY" envDefault:"0s" want:"a duration from 0s to 1m such as 100ms" help:"how long the echo model takes for each word, to see streams in development"`
	UpkeepInterval time.Duration `env:"UPKEEP_INTERVAL" envDefault:"5s" want:"a duration from 100ms to 1h such as 5s" help:"how often the audit log is sealed and abandoned turns are looked for"`
	Workers        int           `env:"WORKERS" envDefault:"4" want:"a whole number from 0 to 1000" help:"jobs that this process does at once beside deliveries and answers, no more than half of a kind and half of a workspace; 0: it only serves, and parley worker elsewhere does all jobs"`
	Deliveries     int           `env:"DELIVERY_CONCURRENCY" envDefault:"32" want:"a whole number from 4 to 1000" help:"webhook deliveries that this process makes at once, if WORKERS is not 0; no more than half are of one workspace, and targets that were slow, or are new, take those that were quick no slot"`
	Answers        int           `env:"ANSWER_CONCURRENCY" envDefault:"32" want:"a whole number from 4 to 1000" help:"messages of webhooks that this process has answered at once, if WORKERS is not 0; no more than half are of one workspace, and slow models take quick ones no slot"`
	JobPoll        time.Duration `env:"JOB_POLL_INTERVAL" envDefault:"1s" want:"a duration from 10ms to 1h such as 1s" help:"how often to look for jobs, and for news of turns that run elsewhere, that no notification announced: those for later, and all where notifications do not arrive"`
	JobLease       time.Duration `env:"JOB_LEASE" envDefault:"30s" want:"a duration from 1s to 10m such as 30s" help:"how long a worker may be silent before its jobs, and a turn beyond MODEL_TIMEOUT before it, are taken up by another"`
	WebhookPrivate bool          `env:"WEBHOOK_ALLOW_PRIVATE" envDefault:"false" want:"true or false" help:"true: webhooks may be delivered to http and to loopback and private addresses, for development: tenants reach into your network; loopback addresses are allowed without it where APP_ENV is development and HTTP_ADDR is a loopback address"`
	BreakerOpen    time.Duration `env:"BREAKER_OPEN_FOR" envDefault:"30s" want:"a duration from 10ms to 1h such as 30s" help:"how long a model, webhook target, Redis or MinIO that has failed five times in a row is not asked"`
	StopDelay      time.Duration `env:"SHUTDOWN_DELAY" envDefault:"0s" production:"5s" want:"a duration from 0s to 10m such as 5s" help:"how long a server goes on serving after a signal to stop, with /readyz at 503, so that load balancers send it nothing more; SHUTDOWN_TIMEOUT comes after it"`
	StopTimeout    time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"15s" want:"a duration from 0s to 10m such as 15s" help:"how long running requests and jobs may go on after a signal to stop"`

	proxies []netip.Prefix
	prices  map[string]ModelPrice
	fault   *fault.Point

	providers []OIDCProvider
	// statedURL is PUBLIC_URL as it was set.
	statedURL string
}

// Load reads and checks the environment, given as "NAME=value" lines (os.Environ). An empty value counts as unset.
// The error joins one error for each wrong variable; each names the variable and what it should be, and none repeats
// the value of a secret.
func Load(environ []string) (*Config, error) {
	c := &Config{}
	set := map[string]string{}
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok && value != "" {
			set[name] = value
		}
	}
	if err := readFiles(set); err != nil {
		return nil, err
	}
	if set["APP_ENV"] == production {
		setProductionDefaults(set)
	}
	unread := map[string]bool{}
	if err := env.ParseWithOptions(c, env.Options{Environment: set}); err != nil {
		var all env.AggregateError
		if !errors.As(err, &all) {
			return nil, err
		}
		for _, e := range all.Errors {
			parse, ok := errors.AsType[env.ParseError](e)
			if !ok {
				return nil, e
			}
			field, _ := reflect.TypeFor[Config]().FieldByName(parse.Name)
			unread[field.Tag.Get("env")] = true
		}
	}
	for _, list := range [][]string{c.CORSOrigins, c.TrustedProxies, c.ModelAllow, c.PostgresConf, c.EmbeddingModel} {
		for i := range list {
			list[i] = strings.TrimSpace(list[i]) // people write a space behind a comma
		}
	}
	wrong := c.check(unread)
	c.SignUp = cmp.Or(c.SignUp, SignUpOpen)
	c.statedURL = c.PublicURL
	c.Verification = cmp.Or(c.Verification, c.defaultVerification())
	c.PublicURL = cmp.Or(c.PublicURL, "http://"+c.HTTPAddr)
	return c, errors.Join(wrong...)
}

// setProductionDefaults adds what APP_ENV=production sets to other values than development does, where it is unset.
func setProductionDefaults(set map[string]string) {
	for _, v := range Variables() {
		if set[v.Name] == "" && v.Production != "" {
			set[v.Name] = v.Production
		}
	}
}

// check returns an error for each wrong variable, including those that could not be parsed.
func (c *Config) check(unread map[string]bool) (wrong []error) {
	require := func(ok bool, name string) {
		if !ok {
			unread[name] = true
		}
	}
	_, _, err := net.SplitHostPort(c.HTTPAddr)
	require(err == nil, "HTTP_ADDR")
	_, port, err := net.SplitHostPort(c.MetricsAddr)
	require(c.MetricsAddr == "" || err == nil && (c.MetricsAddr != c.HTTPAddr || port == "0"), "METRICS_ADDR")
	require(slices.Contains([]string{"", "true", "false"}, c.Profiles), "PPROF")
	require(isURL(c.TraceEndpoint, "http", "https"), "OTEL_EXPORTER_OTLP_ENDPOINT")
	require(c.TraceShare >= 0 && c.TraceShare <= 1, "OTEL_TRACES_SAMPLER_ARG") // which NaN is not
	require(isDSN(c.SentryDSN), "SENTRY_DSN")
	require(c.AppEnv == "development" || c.Production(), "APP_ENV")
	require(c.LogFormat == "json" || c.LogFormat == "text", "LOG_FORMAT")
	require(slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel), "LOG_LEVEL")
	require(slices.Contains([]string{"full", "network", "none"}, c.LogAddress), "LOG_ADDRESS")
	require(c.SlowStatement == 0 || within(c.SlowStatement, time.Millisecond, time.Hour), "SLOW_STATEMENT")
	require(c.TopWorkspaces >= 0 && c.TopWorkspaces <= 100, "METRICS_WORKSPACES")
	require(c.LogSample >= 1 && c.LogSample <= 10_000, "LOG_SAMPLE")
	require(!slices.ContainsFunc(c.PostgresConf, func(s string) bool { return !postgresSetting.MatchString(s) }), "POSTGRES_SETTINGS")
	require(isPostgres(c.DatabaseURL), "DATABASE_URL")
	require(isPostgres(c.DatabaseDirect), "DATABASE_DIRECT_URL")
	require(c.DatabaseConns == 0 || c.DatabaseConns >= 2 && c.DatabaseConns <= 1000, "DATABASE_MAX_CONNS")
	require(c.SecretKey == "" || len(c.SecretKey) >= 32, "SECRET_KEY")
	require(len(c.SecretPrevious) <= maxPrevious && !slices.ContainsFunc(c.SecretPrevious, func(s string) bool { return len(s) < 32 }), "SECRET_PREVIOUS_KEYS")
	require(c.JWTSecret == "" || len(c.JWTSecret) >= 32, "JWT_SECRET")
	require(!slices.ContainsFunc(c.JWTPrevious, func(s string) bool { return len(s) < 32 }), "JWT_PREVIOUS_SECRETS")
	require(slices.Contains([]string{"", SignUpOpen, SignUpInvite, SignUpClosed}, c.SignUp), "SIGN_UP")
	require(within(c.AccessTTL, time.Second, 24*time.Hour), "ACCESS_TTL")
	require(within(c.RefreshTTL, time.Minute, 60*24*time.Hour), "REFRESH_TTL")
	require(within(c.RequestTimeout, time.Second, 10*time.Minute), "REQUEST_TIMEOUT")
	require(within(c.ModelTimeout, time.Second, 10*time.Minute), "MODEL_TIMEOUT")
	require(c.ModelAtOnce >= 2 && c.ModelAtOnce <= 100_000, "MODEL_CONCURRENCY")
	c.checkModels(require)
	c.checkEmbeddings(require)
	c.checkWork(require)
	require(c.BodyLimit >= 1024 && c.BodyLimit <= 100<<20, "BODY_LIMIT")
	require(c.FileLimit >= 1024 && c.FileLimit <= 1<<30, "FILE_LIMIT")
	require(within(c.TransferTime, time.Second, 30*time.Minute), "TRANSFER_TIMEOUT")
	c.checkLimits(require)
	c.checkServices(require)
	c.fault, err = fault.Parse(c.FaultPoint)
	require(err == nil && (c.FaultPoint == "" || !c.Production()), "FAULT_POINT")
	require(allOrigins(c.CORSOrigins), "CORS_ALLOW_ORIGINS")
	c.proxies, err = prefixes(c.TrustedProxies)
	require(err == nil, "TRUSTED_PROXIES")
	incomplete, beside := c.incomplete(unread)
	oidc := c.parseOIDC()
	missing := map[string]bool{}
	if c.Production() && !c.Embedded {
		missing = map[string]bool{"DATABASE_URL": c.DatabaseURL == "", "JWT_SECRET": c.JWTSecret == "", "SECRET_KEY": c.SecretKey == ""}
	}
	for _, v := range Variables() { // in their order
		switch {
		case missing[v.Name]:
			before := ""
			if v.Name == "SECRET_KEY" {
				before = ", and to the one that is in " + filepath.Join(c.DataDir, "secret-key") + " where an earlier start has made it"
			}
			wrong = append(wrong, fmt.Errorf("%s: must be set in production, to %s%s; or set EMBEDDED=true to mean the embedded database and its own secrets", v.Name, v.Want, before))
		case incomplete[v.Name]:
			wrong = append(wrong, fmt.Errorf("%s: must be set beside %s, to %s", v.Name, cmp.Or(beside[v.Name], "MINIO_ENDPOINT"), v.Want))
		case unread[v.Name]:
			wrong = append(wrong, fmt.Errorf("%s: should be %s", v.Name, v.Want))
		case v.Name == "OIDC_PROVIDERS" && oidc != nil:
			wrong = append(wrong, fmt.Errorf("%s: %w", v.Name, oidc))
		case v.Name == "SIGN_UP" && c.SignUp == "" && c.Production():
			wrong = append(wrong, fmt.Errorf("SIGN_UP: must be set in production, to %s: with open, everybody who reaches the API can make an account and a workspace", v.Want))
		}
	}
	return wrong
}

// incomplete returns which settings are missing that others need, and which others those are where it is not MINIO_ENDPOINT.
func (c *Config) incomplete(unread map[string]bool) (missing map[string]bool, beside map[string]string) {
	minio := c.MinioEndpoint != "" && !unread["MINIO_ENDPOINT"]
	missing = map[string]bool{
		"SMTP_URL":         c.Production() && c.Verification == VerificationRequired && c.SMTPURL == "",
		"PUBLIC_URL":       c.Production() && c.SMTPURL != "" && c.PublicURL == "",
		"MINIO_ACCESS_KEY": minio && c.MinioAccess == "", "MINIO_SECRET_KEY": minio && c.MinioSecret == "",
		"EMBEDDING_MODEL":   len(c.EmbeddingModel) == 0 && (c.EmbeddingURL != "" || c.EmbeddingKey != "") && !unread["EMBEDDING_BASE_URL"] && !unread["EMBEDDING_API_KEY"],
		"RERANK_MODEL":      c.RerankModel == "" && c.RerankURL != "" && !unread["RERANK_BASE_URL"],
		"RERANK_BASE_URL":   c.RerankURL == "" && (c.RerankModel != "" || c.RerankKey != "") && !unread["RERANK_MODEL"] && !unread["RERANK_API_KEY"],
		"EMBEDDING_API_KEY": len(c.EmbeddingModel) > 0 && c.EmbeddingURL == "" && c.EmbeddingKey == "" && !unread["EMBEDDING_MODEL"],
	}
	beside = map[string]string{
		"EMBEDDING_MODEL": "EMBEDDING_BASE_URL and EMBEDDING_API_KEY", "EMBEDDING_API_KEY": "EMBEDDING_MODEL where there is no EMBEDDING_BASE_URL",
		"PUBLIC_URL": "SMTP_URL, in production,", "SMTP_URL": "EMAIL_VERIFICATION=required, in production,", "RERANK_MODEL": "RERANK_BASE_URL", "RERANK_BASE_URL": "RERANK_MODEL and RERANK_API_KEY",
	}
	return missing, beside
}

// checkLimits checks the limits of callers and workspaces.
func (c *Config) checkLimits(require func(ok bool, name string)) {
	require(c.RateMax >= 1 && c.RateMax <= 1e9, "RATE_LIMIT_MAX")
	require(within(c.RateWindow, time.Second, 24*time.Hour), "RATE_LIMIT_WINDOW")
	require(c.AuthRateMax >= 1 && c.AuthRateMax <= 1e9, "AUTH_RATE_LIMIT_MAX")
	require(c.AuthNewClients >= 1 && c.AuthNewClients <= 1e9, "AUTH_RATE_LIMIT_STRANGERS")
	for name, most := range map[string]int64{
		"LIMIT_TURNS_MONTH": c.LimitTurns, "LIMIT_TOKENS_MONTH": c.LimitTokens, "LIMIT_MESSAGES_MONTH": c.LimitMessages,
		"LIMIT_COST_MONTH": c.LimitCost, "LIMIT_WEBHOOK_EVENTS_MONTH": c.LimitEvents, "LIMIT_STORAGE_BYTES": c.LimitStorage, "LIMIT_BOTS": c.LimitBots,
		"LIMIT_MEMBERS": c.LimitMembers, "LIMIT_API_KEYS": c.LimitKeys, "LIMIT_SUBSCRIPTIONS": c.LimitSubs, "LIMIT_KNOWLEDGE_BASES": c.LimitBases, "LIMIT_TOOLS": c.LimitTools,
		"LIMIT_DOCUMENTS": c.LimitDocuments, "LIMIT_CHUNKS": c.LimitChunks, "LIMIT_KNOWLEDGE_BYTES": c.LimitKnowledge, "LIMIT_INVITATIONS_DAY": c.LimitInvites,
		"LIMIT_END_USERS": c.LimitEndUsers,
	} {
		require(most >= 0 && most <= 1e18, name)
	}
	require(c.LimitRequests >= 0 && c.LimitRequests <= 1e9, "LIMIT_REQUESTS_MINUTE")
}

// checkServices checks the addresses and credentials of external services.
func (c *Config) checkServices(require func(ok bool, name string)) {
	require(isServer(c.MinioEndpoint) && !strings.HasSuffix(c.MinioEndpoint, "/"), "MINIO_ENDPOINT")
	require(isSecret(c.MinioAccess, 3), "MINIO_ACCESS_KEY")
	require(isSecret(c.MinioSecret, 8), "MINIO_SECRET_KEY")
	require(bucketName.MatchString(c.MinioBucket), "MINIO_BUCKET")
	require(slices.Contains([]string{"", "files", "none"}, c.AuditAnchor) || strings.Contains(c.AuditAnchor, "/"), "AUDIT_ANCHOR")
	require(isRedis(c.RedisURL), "REDIS_URL")
	require(isMailServer(c.SMTPURL), "SMTP_URL")
	_, err := mail.ParseAddress(c.MailFrom)
	require(err == nil, "MAIL_FROM")
	require(isServer(c.PublicURL) && !strings.HasSuffix(c.PublicURL, "/"), "PUBLIC_URL")
	require(isVerification(c.Verification), "EMAIL_VERIFICATION")
	require(isServer(c.QdrantURL), "QDRANT_URL")
	require(isKey(c.QdrantKey), "QDRANT_API_KEY")
	require(c.ClickHouseHost == "" || isServer(c.ClickHouseURL()) && endsInPort.MatchString(c.ClickHouseURL()), "CLICKHOUSE_HOST")
	require(plainName.MatchString(c.ClickHouseDB), "CLICKHOUSE_DATABASE")
}

// Values of SIGN_UP.
const (
	SignUpOpen   = "open"
	SignUpInvite = "invite"
	SignUpClosed = "closed"
)

const maxPrevious = 8 // SECRET_PREVIOUS_KEYS

// production is the value of APP_ENV that refuses what is only fit for development and sets limits by default.
const production = "production"

// Production reports whether APP_ENV is production.
func (c *Config) Production() bool { return c.AppEnv == production }

// LocalDevelopment reports whether the program serves only the machine that it runs on, outside production: HTTP_ADDR is
// a loopback address.
func (c *Config) LocalDevelopment() bool {
	host, _, err := net.SplitHostPort(c.HTTPAddr)
	address, notAddress := netip.ParseAddr(host)
	return err == nil && !c.Production() && (host == "localhost" || notAddress == nil && address.IsLoopback())
}

// Connections returns how many connections to the database this process may hold. More than a few per core do not
// increase the throughput, and calls wait for a connection in a fairer order than for a processor: at 32 clients the
// latency of the slowest 1 % was halved.
func (c *Config) Connections() int32 {
	if c.DatabaseConns > 0 {
		return c.DatabaseConns
	}
	return int32(min(20, max(10, 5*runtime.GOMAXPROCS(0)))) // Postgres allows 100 for all clients by default
}

// Pprof reports whether the process serves profiles.
func (c *Config) Pprof() bool { return c.Profiles == "true" || c.Profiles == "" && !c.Production() }

// Proxies returns the parsed TrustedProxies.
func (c *Config) Proxies() []netip.Prefix { return c.proxies }

// Fault returns the parsed FaultPoint.
func (c *Config) Fault() *fault.Point { return c.fault }

// DirectURL returns the URL of the database for migrations and for listening to notifications.
func (c *Config) DirectURL() string {
	if c.DatabaseDirect != "" {
		return c.DatabaseDirect
	}
	return c.DatabaseURL
}

// ClickHouseURL returns ClickHouseHost as a URL, with the scheme http if it has none.
func (c *Config) ClickHouseURL() string {
	if strings.Contains(c.ClickHouseHost, "://") {
		return c.ClickHouseHost
	}
	return "http://" + c.ClickHouseHost
}
