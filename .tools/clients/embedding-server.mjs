// A stand-in for a server of an embedding model: node embedding-server.mjs prints its address. The vector of a text is made of the counts of its letters.
import { createServer } from "node:http";

const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { model, input } = JSON.parse(body);
  const texts = Array.isArray(input) ? input : [input];
  const data = texts.map((text, index) => {
    const counts = new Array(26).fill(0);
    for (const c of text.toLowerCase()) if (c >= "a" && c <= "z") counts[c.charCodeAt(0) - 97]++;
    const length = Math.hypot(...counts) || 1;
    return { object: "embedding", index, embedding: counts.map((n) => n / length) };
  });
  const tokens = texts.join(" ").split(/\s+/).length;
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({ object: "list", model, data, usage: { prompt_tokens: tokens, total_tokens: tokens } }));
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/v1`));
