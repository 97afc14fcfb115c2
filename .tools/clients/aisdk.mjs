// Chats with a bot by useChat's own client, of every version of the AI SDK that the guide names: node aisdk.mjs URL
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const url = process.argv[2] ?? "http://127.0.0.1:8080";

// call makes a call of Parley's own API.
async function call(method, path, token, body) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const response = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  const answer = await response.json();
  assert(response.ok, `${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

async function until(what, true_) {
  for (let tries = 0; ; tries++) {
    if (await true_()) return;
    assert(tries < 2000, `${what} did not happen`);
    await sleep(10);
  }
}

const session = await call("POST", "/v1/auth/register", "", {
  email: `aisdk-${randomUUID()}@example.com`,
  password: "correct horse battery",
  workspace_name: "Acme",
});
const token = session.access_token;
const newBot = async (name, settings = {}) =>
  (await call("POST", "/v1/bots", token, { name, instruction: "Be kind.", settings })).id;
const plain = await newBot("Support");
const failing = await newBot("Failing", { model: "openai/none" });

const base = await call("POST", "/v1/knowledge-bases", token, { name: "Terms" });
const documents = `/v1/knowledge-bases/${base.id}/documents`;
const document = await call("POST", documents, token, { title: "Returns", text: "Goods can be returned within 14 days of delivery." });
await until("the document", async () => (await call("GET", `${documents}/${document.id}`, token)).status === "ready");
const knowing = await newBot("Clerk", { knowledge: [{ id: base.id }] });

for (const version of [5, 6, 7]) {
  const { DefaultChatTransport } = await import(`ai-${version}`);
  const { Chat } = await import(`ai-react-${version}`);

  // open makes a chat with a bot, as useChat does.
  const open = (bot, id = randomUUID(), messages = []) => {
    const headers = { Authorization: `Bearer ${token}` };
    return new Chat({ id, messages, transport: new DefaultChatTransport({ api: `${url}/ai-sdk/v1/bots/${bot}/chat`, headers }) });
  };
  const last = (chat) => chat.messages.at(-1);
  const textOf = (message) => message.parts.filter((p) => p.type === "text").map((p) => p.text).join("|");
  const stored = async (chat) => {
    const { items } = await call("GET", `/v1/conversations/threads/${last(chat).metadata.thread_id}/messages`, token);
    return items.map((m) => m.content);
  };

  // Messages and their history, which is the thread.
  const chat = open(plain);
  await chat.sendMessage({ text: "one" });
  assert.equal(chat.error, undefined);
  assert.equal(textOf(last(chat)), "Echo: one");
  assert.equal(last(chat).role, "assistant");
  await chat.sendMessage({ text: "two" });
  assert.equal(chat.status, "ready");
  assert.equal(chat.messages.length, 4);
  assert.deepEqual(await stored(chat), ["one", "Echo: one", "two", "Echo: two"]);

  // Another answer to the last message, in a branch of its own.
  await chat.regenerate();
  assert.equal(chat.messages.length, 4);
  assert.deepEqual(await stored(chat), ["one", "Echo: one", "two", "Echo: two"]);

  // A stream that another client resumes while it runs, and after the first one has stopped reading.
  const words = Array.from({ length: 200 }, (_, i) => `w${i}`).join(" ");
  const first = open(plain);
  const sent = first.sendMessage({ text: words });
  await until("the first word", () => first.messages.length === 2 && textOf(last(first)).length > 0);
  const second = open(plain, first.id, [first.messages[0]]);
  const resumed = second.resumeStream();
  await until("the resumed stream", () => second.messages.length === 2 && textOf(last(second)).length > 0);
  await first.stop();
  await Promise.all([sent, resumed]);
  assert.equal(textOf(last(second)), `Echo: ${words}`);
  assert.equal(last(second).id, last(first).id);
  assert.deepEqual(await stored(second), [words, `Echo: ${words}`]);
  await second.resumeStream(); // nothing runs: 204
  assert.equal(second.messages.length, 2);
  assert.equal(second.status, "ready");

  // Sources, failures, and a bot that is not there.
  const clerk = open(knowing);
  await clerk.sendMessage({ text: "Within how many days can goods be returned?" });
  const sources = last(clerk).parts.filter((p) => p.type === "source-document");
  assert.equal(sources[0]?.title, "Returns", JSON.stringify(last(clerk).parts));
  assert.equal(sources[0].providerMetadata.parley.document_id, document.id);
  const broken = open(failing);
  await broken.sendMessage({ text: "Hi" });
  assert.equal(broken.status, "error");
  assert.match(broken.error.message, /model/);
  const nobody = open(randomUUID());
  await nobody.sendMessage({ text: "Hi" });
  assert.equal(nobody.status, "error");
  assert.match(nobody.error.message, /BOT_NOT_FOUND/);
  console.log(`ok AI SDK ${version}`);
}
