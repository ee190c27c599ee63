// JSON in and out, and a binary answer.
//   POST /api/echo            answers with what it was sent
//   GET  /api/avatar/{name}   answers with a picture made from the name

export const handler = async (event) =>
  event.routeKey === "POST /api/echo" ? echo(event) : avatar(event.pathParameters.name);

const echo = ({ body = "", isBase64Encoded }) => {
  if (isBase64Encoded) {
    return { statusCode: 415, body: JSON.stringify({ message: "Please send application/json" }) };
  }
  try {
    // An object without `statusCode` becomes a JSON answer with status 200.
    return { youSent: JSON.parse(body), bytes: new TextEncoder().encode(body).length };
  } catch (error) {
    return { statusCode: 400, body: JSON.stringify({ message: error.message }) };
  }
};

// A 5 x 5 pattern, mirrored at its middle column, in a colour of its own. Binary bodies travel as base64.
const avatar = async (name) => {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(name)));
  const ink = digest.slice(0, 3).map((part) => part >> 1);
  const on = (column, row) => digest[3 + row * 3 + (column < 3 ? column : 4 - column)] % 2 === 1;
  return {
    statusCode: 200,
    headers: { "content-type": "image/bmp", "cache-control": "public, max-age=3600" },
    body: base64(bitmap(5, 24, (column, row) => (on(column, row) ? ink : [240, 240, 240]))),
    isBase64Encoded: true,
  };
};

const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

// A square BMP of `cells` x `cells` cells, each `scale` pixels wide.
const bitmap = (cells, scale, colour) => {
  const size = cells * scale;
  const file = new Uint8Array(54 + size * size * 3);
  const view = new DataView(file.buffer);
  view.setUint16(0, 0x424d);
  for (const [offset, value] of [[2, file.length], [10, 54], [14, 40], [18, size], [22, size], [34, size * size * 3]]) {
    view.setUint32(offset, value, true);
  }
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      file.set(colour(Math.floor(x / scale), Math.floor(y / scale)), 54 + (y * size + x) * 3);
    }
  }
  return file;
};
