// A blob's URL answers like a file: whole, or the range that is asked for.
export const handler = async () => {
  const url = URL.createObjectURL(new Blob(["0123456789"], { type: "text/plain" }));
  const ask = async (range) => {
    try {
      const response = await fetch(url, range === undefined ? {} : { headers: { range } });
      const { status, statusText, headers } = response;
      const [length, part] = [headers.get("content-length"), headers.get("content-range")];
      return [status, statusText, length, part, headers.get("content-type"), await response.text()];
    } catch (error) {
      return error.name;
    }
  };
  const results = [];
  const ranges = [undefined, "bytes=2-4", "bytes=7-", "bytes=-3", "bytes = 8-99", "bytes=-99", "bytes=4-2", "bytes=10-", "bytes=0-1,3-4", "bytes"];
  for (const range of ranges) results.push(await ask(range));
  return results;
};
