// Termination must not be catchable.
export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  for (;;) {
    try {
      for (;;) {}
    } catch {
      for (;;) {}
    } finally {
      for (;;) {}
    }
  }
};
