import OpenAI, { toFile } from "openai";

const routes: Record<string, (client: OpenAI, signal: AbortSignal) => Promise<unknown>> = {
  async "/chat"(client) {
    return await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hi" }], temperature: 0 });
  },
  async "/stream"(client) {
    const stream = await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hi" }], stream: true });
    const chunks: object[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
  },
  // What the client gets is the stream itself: lines of JSON, as they come.
  async "/relay"(client) {
    const stream = await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hi" }], stream: true });
    return new Response(stream.toReadableStream(), { headers: { "content-type": "application/x-ndjson" } });
  },
  async "/runner"(client) {
    const events: unknown[] = [];
    const runner = client.chat.completions.stream({ model: "m", messages: [{ role: "user", content: "hi" }] });
    runner.on("content", (delta, snapshot) => events.push([delta, snapshot]));
    return { final: await runner.finalChatCompletion(), events };
  },
  async "/tools"(client) {
    const weather = { name: "weather", description: "", parameters: { type: "object" }, parse: JSON.parse, function: ({ city }: { city: string }) => `rain in ${city}` };
    const runner = client.chat.completions.runTools({ model: "m", messages: [{ role: "user", content: "hi" }], tools: [{ type: "function", function: weather }] } as never);
    return { text: await runner.finalContent(), messages: runner.messages };
  },
  async "/embeddings"(client) {
    return (await client.embeddings.create({ model: "e", input: "hi" })).data;
  },
  async "/upload"(client) {
    return await client.files.create({ file: await toFile(new TextEncoder().encode('{"a":1}\n'), "a.jsonl"), purpose: "batch" });
  },
  async "/forbidden"(client) {
    return await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "forbidden" }] });
  },
  async "/retried"(client) {
    return (await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "busy" }] })).choices;
  },
  async "/aborted"(client) {
    return await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hi" }] }, { signal: AbortSignal.abort() });
  },
};

export default {
  async fetch(request: Request) {
    const { pathname, searchParams } = new URL(request.url);
    const client = new OpenAI({ apiKey: "sk-test", baseURL: `${searchParams.get("base")}/v1` });
    try {
      const answer = await routes[pathname](client, request.signal);
      return answer instanceof Response ? answer : Response.json(answer);
    } catch (error) {
      const { name, status, code, message } = error as InstanceType<typeof OpenAI.APIError>;
      return Response.json({ name, class: (error as Error).constructor.name, status, code, message }, { status: 500 });
    }
  },
};
