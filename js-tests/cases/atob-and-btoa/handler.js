const nameOf = (run) => {
  try {
    return run();
  } catch (error) {
    return error.name;
  }
};
export const handler = async () => ({
  there: btoa("\xff\x00 abc"),
  back: atob(" aGVs bG8= "),
  tooWide: nameOf(() => btoa("€")),
  invalid: nameOf(() => atob("a")),
});
