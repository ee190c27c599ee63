const blob = new Blob(["a blob ", new Uint8Array([111, 102]), " parts"], { type: "text/plain" });
const part = blob.slice(2, 6);
const file = new File([blob], "parts.txt", { lastModified: 5 });

export const handler = async () => ({
  text: await blob.text(),
  part: await part.text(),
  file: [file.name, file.size, file.lastModified, (await file.arrayBuffer()).byteLength],
});
