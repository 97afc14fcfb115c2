// Walks the user journeys with a client that is generated from the published document: node build/js/walk.js URL
import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./build/parley.js";

type Schemas = components["schemas"];
type Failure = Schemas["Error"];
type TurnEvent = Schemas["TurnEvent"];

const url = process.argv[2] ?? "http://127.0.0.1:8080";
const client = createClient<paths>({ baseUrl: url });
// The same client for JSON answers only: the data of a turn is a Turn, not a Turn or the text of a stream.
const api = client as unknown as Client<paths, "application/json">;

// ok returns the data of an answer, and fails with the server's error.
function ok<T>(answer: { data?: T; error?: Failure; response: Response }): NonNullable<T> {
  if (answer.error !== undefined || answer.data === undefined || answer.data === null) {
    throw new Error(`${answer.response.url}: ${answer.response.status} ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

// failed returns the error of an answer, and fails where there is none.
function failed(answer: { error?: Failure; response: Response }): Failure {
  assert(answer.error, `${answer.response.url} succeeded`);
  return answer.error;
}

async function eventually<T>(what: string, find: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`${what}: not within 30 s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function register(): Promise<void> {
  const session = ok(
    await api.POST("/v1/auth/register", {
      body: { email: `ada-${randomUUID()}@example.com`, password: "correct horse battery", workspace_name: "Acme" },
    }),
  );
  client.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${session.access_token}`);
      return request;
    },
  });
  const me = ok(await api.GET("/v1/auth/me"));
  assert.equal(me.workspace_id, session.workspace_id);
  assert.equal(me.role, "owner");
}

// A bot needs a name and no more: the fields with defaults are optional.
async function createBot(): Promise<string> {
  const bot = ok(await api.POST("/v1/bots", { body: { name: "Support" } }));
  assert.equal(bot.current_version, 1);
  const list = ok(await api.GET("/v1/bots"));
  assert(list.items.some((item) => item.id === bot.id));
  const settings: Schemas["NewSettings"] = { model: "echo", metadata: { team: ["a", "b"], nested: { depth: 2 } }, mine: true };
  ok(await api.POST("/v1/bots", { body: { name: "With settings", settings } }));
  return bot.id;
}

async function editBot(bot_id: string): Promise<void> {
  const path = { bot_id };
  const edited = ok(
    await api.PUT("/v1/bots/{bot_id}/instruction", { params: { path }, body: { instruction: "Be kind.", settings: { temperature: 0.2 } } }),
  );
  assert.equal(edited.current_version, 2);
  const versions = ok(await api.GET("/v1/bots/{bot_id}/versions", { params: { path } }));
  assert.deepEqual(versions.items.map((v) => v.version), [2, 1]);
  ok(await api.POST("/v1/bots/{bot_id}/rollback", { params: { path }, body: { version: 1 } }));
  ok(await api.POST("/v1/bots/{bot_id}/publish", { params: { path }, body: { version: 2 } }));
  const stale = failed(
    await api.PUT("/v1/bots/{bot_id}/instruction", {
      params: { path, header: { "If-Match": '"1"' } },
      body: { instruction: "Too late." },
    }),
  );
  assert(stale.code === "VERSION_CONFLICT");
  assert.equal(stale.details.current_version, 3);
}

// The details of an error have the form of its code.
async function errors(): Promise<void> {
  const wrong = failed(await api.POST("/v1/bots", { body: { name: "" } }));
  assert(wrong.code === "VALIDATION_ERROR");
  assert.equal(wrong.details.errors[0]?.field, "name");
  const missing = failed(await api.GET("/v1/bots/{bot_id}", { params: { path: { bot_id: randomUUID() } } }));
  assert.equal(missing.code, "BOT_NOT_FOUND");
}

async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<TurnEvent> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = block.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield JSON.parse(data.slice("data: ".length)) as TurnEvent;
    }
  }
}

async function testChat(bot_id: string): Promise<void> {
  const thread = ok(await api.POST("/v1/conversations/threads", { body: { bot_id, metadata: { customer: { id: 7 } } } }));
  const path = { thread_id: thread.id };
  const turn = ok(await api.POST("/v1/conversations/threads/{thread_id}/turn", { params: { path }, body: { content: "Where is my order?" } }));
  assert("assistant_message" in turn, "a bot without tools waits for nobody");
  assert.equal(turn.assistant_message.content, "Echo: Where is my order?");
  const either = await client.POST("/v1/conversations/threads/{thread_id}/turn", { params: { path }, body: { content: "Once more?" } });
  assert(typeof either.data === "object" && either.data.turn_id, "a text would be a stream");

  const request = { params: { path }, headers: { Accept: "text/event-stream" }, body: { content: "And now?", on_busy: "enqueue" as const } };
  const stream = await client.POST("/v1/conversations/threads/{thread_id}/turn", { ...request, parseAs: "stream" });
  assert(stream.data, JSON.stringify(stream.error));
  let said = "";
  let last = "";
  for await (const event of events(stream.data)) {
    if (event.type === "message.delta") said += event.delta.text;
    last = event.type;
  }
  assert.equal(said, "Echo: And now?");
  assert.equal(last, "turn.completed");

  const messages = ok(await api.GET("/v1/conversations/threads/{thread_id}/messages", { params: { path } }));
  assert.deepEqual(messages.items.map((m) => m.role), ["user", "assistant", "user", "assistant", "user", "assistant"]);
  const rated = ok(
    await api.PUT("/v1/conversations/messages/{message_id}/feedback", {
      params: { path: { message_id: turn.assistant_message.id } },
      body: { rating: "good" },
    }),
  );
  assert.equal(rated.feedback?.rating, "good");
}

function sign(secret: string, id: string, timestamp: string, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return "v1," + createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
}

async function channels(bot_id: string): Promise<void> {
  const delivered: { headers: IncomingHttpHeaders; body: string }[] = [];
  const receiver = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      delivered.push({ headers: request.headers, body });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = receiver.address() as AddressInfo;
    const subscription = ok(
      await api.POST("/v1/webhook-subscriptions", { body: { url: `http://127.0.0.1:${port}/`, events: ["turn.completed"] } }),
    );
    const endpoint = ok(await api.POST("/v1/webhook-endpoints", { body: { name: "Shop", bot_id } }));
    const event: Schemas["InboundEvent"] = { type: "message.received", data: { conversation_id: "c1", text: "Hello", order: 7 } };
    const id = randomUUID();
    const send = () => {
      const timestamp = String(Math.floor(Date.now() / 1000));
      const header = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": sign(endpoint.secret, id, timestamp, JSON.stringify(event)) };
      return api.POST("/v1/webhooks/{endpoint_id}", { params: { path: { endpoint_id: endpoint.id }, header }, body: event });
    };
    const first = ok(await send());
    assert.equal(first.duplicate, false);
    assert.deepEqual(ok(await send()), { ...first, duplicate: true });

    const received = await eventually("the event was processed", async () => {
      const found = ok(await api.GET("/v1/webhook-events/{event_id}", { params: { path: { event_id: first.event_id } } }));
      return found.status === "processed" ? found : undefined;
    });
    assert(received.thread_id);
    const messages = ok(
      await api.GET("/v1/conversations/threads/{thread_id}/messages", { params: { path: { thread_id: received.thread_id } } }),
    );
    assert.deepEqual(messages.items.map((m) => m.content), ["Hello", "Echo: Hello"]);

    const answer = await eventually("turn.completed was delivered", async () => delivered.find((d) => d.body.includes(received.turn_id ?? "-")));
    const header = (name: string) => String(answer.headers[name]);
    const expected = sign(subscription.secret, header("webhook-id"), header("webhook-timestamp"), answer.body);
    assert(header("webhook-signature").split(" ").includes(expected));
    ok(await api.GET("/v1/webhook-deliveries", { params: { query: { subscription_id: subscription.id } } }));
  } finally {
    receiver.close();
    receiver.closeAllConnections();
  }
}

async function knowledge(): Promise<void> {
  const base = ok(await api.POST("/v1/knowledge-bases", { body: { name: "Manuals", language: "english" } }));
  const path = { knowledge_base_id: base.id };
  const text = "The kettle is descaled with vinegar every month.";
  const added = ok(
    await api.POST("/v1/knowledge-bases/{knowledge_base_id}/documents", { params: { path }, body: { title: "Kettle", text, metadata: { year: 2026 } } }),
  );
  await eventually("the document is ready", async () => {
    const found = ok(
      await api.GET("/v1/knowledge-bases/{knowledge_base_id}/documents/{document_id}", { params: { path: { ...path, document_id: added.id } } }),
    );
    return found.status === "ready" ? found : undefined;
  });
  const found = ok(await api.POST("/v1/knowledge-bases/{knowledge_base_id}/search", { params: { path }, body: { query: "descaling", filter: { year: 2026 } } }));
  assert.deepEqual(found.items.map((item) => item.document_id), [added.id]);
}

async function step<T>(name: string, walk: () => Promise<T>): Promise<T> {
  const result = await walk();
  console.log(`ok TypeScript ${name}`);
  return result;
}

await step("U1 register", register);
const bot = await step("U3 create a bot", createBot);
await step("U5 edit it", () => editBot(bot));
await step("U6 knowledge", knowledge);
await step("U7-U9 channels", () => channels(bot));
await step("U10 test chat", () => testChat(bot));
await step("errors by code", errors);
