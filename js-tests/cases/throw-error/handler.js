// The stranger learns nothing: no message, no stack, no file.
function deep() {
  throw new TypeError("secret detail");
}
export const handler = async () => deep();
