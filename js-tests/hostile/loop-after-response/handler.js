// The response is out; the loop goes on in its isolate until it is stopped.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  setTimeout(() => {
    for (;;) {}
  }, 1);
  return "answered";
};
