import OpenAI from "openai";

export const handler = async () => {
  const requests: object[] = [];
  const client = new OpenAI({
    apiKey: "sk-test",
    baseURL: "http://stand.in/v1",
    fetch: async (url, init) => {
      const headers = new Headers(init?.headers);
      requests.push({ url: String(url), method: init?.method, body: JSON.parse(String(init?.body)), authorization: headers.get("authorization"), type: headers.get("content-type") });
      const message = { role: "assistant", content: "hello" };
      return Response.json({ id: "x", object: "chat.completion", choices: [{ index: 0, message, finish_reason: "stop" }] });
    },
  });
  const answer = await client.chat.completions.create({ model: "m", messages: [{ role: "user", content: "hi" }] });
  return { requests, text: answer.choices[0].message.content };
};
