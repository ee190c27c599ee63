export const handler = async () => {
  console.debug("a debug line");
  console.log("a log line", 1, true);
  console.info("an info line");
  console.warn("a warning");
  console.error("an error line");
  console.log("formatted %s %d", "text", 42);
  console.log({ object: [1, 2] });
  return "logged";
};
