// Header names that Object.prototype knows too are data, not members.
export const handler = async (event) => ({
  own: Object.hasOwn(event.headers, "constructor") && event.headers.constructor,
  proto: Object.getPrototypeOf(event.headers) === Object.prototype || Object.getPrototypeOf(event.headers) === null,
});
