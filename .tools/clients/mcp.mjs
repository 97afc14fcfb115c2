// Lets a bot call tools of @modelcontextprotocol/server-everything, which runs beside it: node mcp.mjs URL
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
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

const probe = createServer().listen(0, "127.0.0.1");
await once(probe, "listening");
const { port } = probe.address();
probe.close();
const everything = spawn("node", ["node_modules/@modelcontextprotocol/server-everything/dist/index.js", "streamableHttp"], {
  env: { ...process.env, PORT: String(port) },
  stdio: "ignore",
});
try {
  const server = `http://127.0.0.1:${port}/mcp`;
  for (let tries = 0; ; tries++) {
    const answers = await fetch(server, { method: "GET" }).then(() => true, () => false);
    if (answers) break;
    assert(tries < 600 && everything.exitCode === null, "server-everything does not serve");
    await sleep(50);
  }

  const session = await call("POST", "/v1/auth/register", "", {
    email: `mcp-${randomUUID()}@example.com`,
    password: "correct horse battery",
    workspace_name: "Acme",
  });
  const token = session.access_token;
  const { candidates } = await call("POST", "/v1/tools/import-mcp", token, { url: server });
  const names = candidates.map((c) => c.remote_name);
  assert(names.includes("echo") && names.includes("get-sum"), `the server offers ${names}`);
  assert.deepEqual(candidates.filter((c) => c.problem !== null), [], "all of its tools can be tools");

  const chosen = ["echo", "get-sum", "get-structured-content", "get-tiny-image"];
  const imported = await call("POST", "/v1/tools/import-mcp", token, { url: server, tools: chosen, prefix: "every_" });
  assert.deepEqual(imported.tools.map((t) => t.remote_name), chosen);
  const bot = await call("POST", "/v1/bots", token, {
    name: "Caller",
    settings: { model: "echo", tools: imported.tools.map((t) => ({ id: t.id, approval: "never" })) },
  });
  const thread = await call("POST", "/v1/conversations/threads", token, { bot_id: bot.id });
  for (const [said, answered] of [
    ['call every_echo {"message": "hello"}', "Echo: hello"],
    ['call every_get-sum {"a": 2, "b": 40}', "42"],
    ['call every_get-structured-content {"location": "New York"}', '"temperature"'],
    ["call every_get-tiny-image {}", '(An image of the type "image/png" is left out.)'],
  ]) {
    const turn = await call("POST", `/v1/conversations/threads/${thread.id}/turn`, token, { content: said });
    assert(turn.assistant_message.content.includes(answered), `${said}: ${turn.assistant_message.content}`);
  }
  const calls = await call("GET", "/v1/tool-calls", token);
  assert.deepEqual(calls.items.map((c) => [c.kind, c.status]), Array(4).fill(["mcp", "succeeded"]));
  console.log(`ok MCP ${names.length} tools of server-everything, 4 calls`);
} finally {
  everything.kill();
}
