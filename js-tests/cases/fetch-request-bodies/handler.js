// Each way to read a body, of text and of bytes.
export default {
  async fetch(request) {
    const how = new URL(request.url).pathname.slice(1);
    switch (how) {
      case "none":
        return Response.json([request.body, await request.text()]);
      case "json":
        return Response.json(await request.json());
      case "bytes":
        return new Response(await request.bytes());
      case "buffer":
        return new Response(await request.arrayBuffer());
      case "blob":
        return new Response(await request.blob());
      case "form":
        return Response.json([...(await request.formData())]);
      case "stream": {
        let length = 0;
        for await (const piece of request.body) length += piece.byteLength;
        return Response.json(length);
      }
      case "byob": {
        const reader = request.body.getReader({ mode: "byob" });
        const { value } = await reader.read(new Uint8Array(3));
        return new Response(value);
      }
      case "twice":
        await request.text();
        return await request.text().then(() => new Response("read twice"), (error) => new Response(error.name));
    }
  },
};
