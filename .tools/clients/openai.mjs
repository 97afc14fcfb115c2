// Talks to a bot with OpenAI's own client for Node: node openai.mjs URL
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import OpenAI from "openai";

const url = process.argv[2] ?? "http://127.0.0.1:8080";

// call makes a call of Parley's own API.
async function call(method, path, token, body) {
  const headers = { "Content-Type": "application/json", ...(token === "" ? {} : { Authorization: `Bearer ${token}` }) };
  const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const answer = await response.json();
  assert(response.ok, `${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

const session = await call("POST", "/v1/auth/register", "", {
  email: `openai-${randomUUID()}@example.com`,
  password: "correct horse battery",
  workspace_name: "Acme",
});
const token = session.access_token;
const bot = await call("POST", "/v1/bots", token, { name: "Support", instruction: "Be kind." });
const key = await call("POST", "/v1/api-keys", token, { name: "chat", role: "editor" });
const client = new OpenAI({ baseURL: `${url}/openai/v1`, apiKey: key.key });

const models = [];
for await (const model of client.models.list()) models.push(model.id);
assert.deepEqual(models, [bot.id]);
assert.equal((await client.models.retrieve("Support")).id, bot.id);

// A call that is not streamed, and its ids.
const messages = [
  { role: "developer", content: "Answer briefly." },
  { role: "user", content: [{ type: "text", text: "Where is my order?" }] },
];
const { data: completion, request_id: requestID } = await client.chat.completions.create({ model: bot.id, messages }).withResponse();
assert.match(requestID ?? "", /^[0-9a-f]{32}$/);
assert.equal(completion.choices[0]?.message.content, "Echo: Where is my order?");
assert.equal(completion.choices[0]?.finish_reason, "stop");
assert.deepEqual((await call("GET", "/v1/conversations/threads", token)).items, []);
console.log("ok openai: chat completion");

// A stream, read chunk by chunk, and by the client's own reader of streams.
let text = "";
const reasons = [];
const usages = [];
const stream = await client.chat.completions.create({ model: "Support", messages, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta.content ?? "";
  if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
  if (chunk.usage) usages.push(chunk.usage.total_tokens);
}
assert.equal(text, "Echo: Where is my order?");
assert.deepEqual(reasons, ["stop"]);
assert.equal(usages.length, 1);
const final = await client.chat.completions.stream({ model: bot.id, messages }).finalChatCompletion();
assert.equal(final.choices[0]?.message.content, "Echo: Where is my order?");
console.log("ok openai: stream");

// A thread, by a header, and what the client makes of errors.
const thread = await call("POST", "/v1/conversations/threads", token, { bot_id: bot.id });
const inThread = { headers: { "X-Parley-Thread-Id": thread.id } };
await client.chat.completions.create({ model: bot.id, messages: [{ role: "user", content: "one" }] }, inThread);
await client.chat.completions.create({ model: bot.id, messages: [{ role: "user", content: "two" }] }, inThread);
const said = (await call("GET", `/v1/conversations/threads/${thread.id}/messages`, token)).items;
assert.deepEqual(said.map((m) => m.content), ["one", "Echo: one", "two", "Echo: two"]);
const unknown = client.chat.completions.create({ model: "gpt-4o", messages });
await assert.rejects(unknown, (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found" && e.param === "model");
const two = client.chat.completions.create({ model: bot.id, messages, n: 2 });
await assert.rejects(two, (e) => e instanceof OpenAI.BadRequestError && e.param === "n");
const wrongKey = new OpenAI({ baseURL: `${url}/openai/v1`, apiKey: "pk_wrong" });
await assert.rejects(wrongKey.models.list(), (e) => e instanceof OpenAI.AuthenticationError && e.code === "invalid_api_key");
console.log("ok openai: threads and errors");

// Responses, read, streamed, continued, gone on with after every event, and cancelled.
const response = await client.responses.create({ model: bot.id, input: "Where is my order?", instructions: "Answer briefly.", store: true });
assert.equal(response.output_text, "Echo: Where is my order?");
assert.equal(response.status, "completed");
assert.equal((await client.responses.retrieve(response.id)).output_text, response.output_text);
const next = await client.responses.create({ model: bot.id, input: "And now?", previous_response_id: response.id, store: true });
assert.equal(next.previous_response_id, response.id);
const kinds = [];
const numbers = [];
let streamed = "";
for await (const event of await client.responses.create({ model: bot.id, input: "one two three", stream: true })) {
  if (kinds.at(-1) !== event.type) kinds.push(event.type);
  numbers.push(event.sequence_number);
  if (event.type === "response.output_text.delta") streamed += event.delta;
}
assert.equal(streamed, "Echo: one two three");
assert.deepEqual(kinds, ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added", "response.output_text.delta",
  "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"]);
assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
const helper = client.responses.stream({ model: bot.id, input: "four five" });
const helped = await helper.finalResponse();
assert.equal(helped.output_text, "Echo: four five");
for (const after of [undefined, 0, 2, 3, 11]) {
  let rest = "";
  for await (const event of await client.responses.retrieve(helped.id, { stream: true, starting_after: after })) {
    if (event.type === "response.completed") rest = event.response.output_text ?? event.response.output[0].content[0].text;
  }
  assert.equal(rest, "Echo: four five", `after ${after}`);
}
const stored = await client.responses.create({ model: bot.id, input: "kept", store: true });
const more = await client.responses.create({ model: bot.id, input: "more", conversation: stored.conversation.id });
assert.equal(more.conversation.id, stored.conversation.id);
await assert.rejects(client.responses.retrieve("resp_none"), (e) => e instanceof OpenAI.NotFoundError);
console.log("ok openai: responses");

// An abort ends the reading at once, and a call that runs can be cancelled.
const words = "word ".repeat(3000);
const controller = new AbortController();
await assert.rejects(async () => {
  const long = await client.responses.create({ model: bot.id, input: words, stream: true }, { signal: controller.signal });
  let id = "";
  for await (const event of long) {
    if (event.type === "response.created") id = event.response.id;
    if (event.type === "response.output_text.delta") {
      assert.equal((await client.responses.cancel(id)).status, "cancelled");
      controller.abort();
      controller.signal.throwIfAborted();
    }
  }
}, (e) => e.name === "AbortError" || e instanceof OpenAI.APIUserAbortError);
console.log("ok openai: abort and cancel");

// A connection that breaks before the answer: the client sends the call again by itself, and both are one turn.
let broken = 0;
const shaky = new OpenAI({
  baseURL: `${url}/openai/v1`,
  apiKey: key.key,
  fetch: async (where, init) => {
    const answer = await fetch(where, init);
    if (broken++ === 0) {
      await answer.text();
      throw new TypeError("the connection broke");
    }
    return answer;
  },
});
const turns = async () => (await call("GET", "/v1/usage", token)).metrics.find((m) => m.metric === "turns").used;
const before = await turns();
const retried = await shaky.responses.create({ model: bot.id, input: "only once" });
assert.equal(retried.output_text, "Echo: only once");
assert.equal(broken, 2);
assert.equal(await turns(), before + 1);
console.log("ok openai: retries");

// Vectors, in the form that the client chooses, base64, and as numbers.
const embeddingModel = process.argv[3];
if (embeddingModel) {
  const input = ["Orders leave on Mondays.", "Returns are free."];
  const { data, usage } = await client.embeddings.create({ model: embeddingModel, input });
  const floats = await client.embeddings.create({ model: embeddingModel, input, encoding_format: "float" });
  assert.equal(data.length, 2);
  assert.ok(usage.total_tokens > 0);
  for (const [i, { embedding }] of data.entries()) {
    assert.equal(embedding.length, floats.data[i].embedding.length);
    embedding.forEach((x, j) => assert.ok(Math.abs(x - floats.data[i].embedding[j]) < 1e-6));
  }
  await assert.rejects(client.embeddings.create({ model: "none", input }), (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found");
  console.log("ok openai: embeddings");
}
