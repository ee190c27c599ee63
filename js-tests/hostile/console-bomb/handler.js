export const handler = async (event) => {
  if (event.rawPath === "/benign") return "benign";
  const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`key${i}`, { i }]));
  for (;;) console.log(wide, wide, wide);
};
