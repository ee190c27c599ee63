export const handler = async () => {
  const blob = new Blob(["héllo ", new Uint8Array([119, 111]), new Blob(["rld"])], { type: "text/plain" });
  const file = new File([blob], "greeting.txt", { type: "text/plain", lastModified: 7 });
  return {
    size: blob.size,
    text: await blob.text(),
    part: await blob.slice(7, 12).text(),
    file: [file.name, file.size, file.lastModified, file instanceof Blob],
    stream: await new Response(file.stream()).text(),
  };
};
