// ICU's objects live outside V8 and are not counted.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const hoard = [];
  for (;;) hoard.push(new Intl.DateTimeFormat("de-DE", { dateStyle: "full", timeZone: "Europe/Berlin" }));
};
