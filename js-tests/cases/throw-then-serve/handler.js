// A failed request leaves the isolate as it was.
let served = 0;
export const handler = async (event) => {
  served += 1;
  if (event.rawPath === "/throw") throw new Error("once");
  return { served: served > 0 };
};
