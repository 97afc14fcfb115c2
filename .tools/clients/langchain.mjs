// Talks to a bot with LangChain for JavaScript: node langchain.mjs URL EMBEDDING_MODEL
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { AIMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { StringOutputParser } from "@langchain/core/output_parsers";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";

const url = process.argv[2] ?? "http://127.0.0.1:8080";

// call makes a call of Parley's own API.
async function call(method, path, token, body) {
  const headers = { "Content-Type": "application/json", ...(token === "" ? {} : { Authorization: `Bearer ${token}` }) };
  const response = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
  const answer = await response.json();
  assert(response.ok, `${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

const session = await call("POST", "/v1/auth/register", "", {
  email: `langchain-${randomUUID()}@example.com`,
  password: "correct horse battery",
  workspace_name: "Acme",
});
const bot = await call("POST", "/v1/bots", session.access_token, { name: "Support", instruction: "Be kind." });
const { key } = await call("POST", "/v1/api-keys", session.access_token, { name: "langchain", role: "editor" });
const configuration = { baseURL: `${url}/openai/v1` };

for (const useResponsesApi of [false, true]) {
  const model = new ChatOpenAI({ model: bot.id, apiKey: key, configuration, useResponsesApi });
  const answer = await model.invoke([new SystemMessage("Answer briefly."), new HumanMessage("Hi"), new AIMessage("Hello"), new HumanMessage("Where is my order?")]);
  assert.equal(answer.text, "Echo: Where is my order?");
  let text = "";
  for await (const chunk of await model.stream("one two three")) text += chunk.text;
  assert.equal(text, "Echo: one two three");
  const chain = ChatPromptTemplate.fromMessages([["system", "Answer as {who}."], ["human", "{question}"]]).pipe(model).pipe(new StringOutputParser());
  assert.deepEqual(await chain.batch([{ who: "a poet", question: "first" }, { who: "a clerk", question: "second" }]), ["Echo: first", "Echo: second"]);
  console.log(`ok langchain: ${useResponsesApi ? "responses" : "chat completions"}`);
}

if (process.argv[3]) {
  const embeddings = new OpenAIEmbeddings({ model: process.argv[3], apiKey: key, configuration });
  const vectors = await embeddings.embedDocuments(["Orders leave on Mondays.", "Returns are free."]);
  assert.equal(vectors.length, 2);
  assert.equal((await embeddings.embedQuery("orders")).length, vectors[0].length);
  console.log("ok langchain: embeddings");
}
