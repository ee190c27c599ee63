// What a deployment does not have is an error that can be caught, not the end.
export const handler = async () => {
  try {
    await import("./nowhere.js");
    return "loaded?";
  } catch (error) {
    return { isError: error instanceof Error, names: error.message.includes("nowhere.js") };
  }
};
