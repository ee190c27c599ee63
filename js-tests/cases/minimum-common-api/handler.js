// The names of the WinterTC Minimum Common API (Ecma, 2025), and what they are like.
const INTERFACES = [
  "AbortController", "AbortSignal", "Event", "EventTarget", "CustomEvent", "ErrorEvent", "MessageChannel", "MessageEvent",
  "MessagePort", "PromiseRejectionEvent", "DOMException", "Headers", "Request", "Response", "FormData", "Blob", "File",
  "CompressionStream", "DecompressionStream", "ByteLengthQueuingStrategy", "CountQueuingStrategy",
  "ReadableByteStreamController", "ReadableStream", "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest",
  "ReadableStreamDefaultController", "ReadableStreamDefaultReader", "TransformStream", "TransformStreamDefaultController",
  "WritableStream", "WritableStreamDefaultController", "WritableStreamDefaultWriter", "TextDecoder", "TextDecoderStream",
  "TextEncoder", "TextEncoderStream", "URL", "URLSearchParams", "URLPattern", "Crypto", "CryptoKey", "SubtleCrypto",
  "Performance",
];
const WASM_INTERFACES = [
  "Global", "Instance", "Memory", "Module", "Table", "Tag", "Exception", "CompileError", "LinkError", "RuntimeError",
];
const ILLEGAL = [
  "AbortSignal", "Crypto", "CryptoKey", "MessagePort", "Performance", "ReadableByteStreamController",
  "ReadableStreamBYOBRequest", "ReadableStreamDefaultController", "SubtleCrypto", "TransformStreamDefaultController",
  "WritableStreamDefaultController",
];
const OPERATIONS = [
  "atob", "btoa", "clearTimeout", "clearInterval", "queueMicrotask", "reportError", "setTimeout", "setInterval",
  "structuredClone", "fetch",
];
const ATTRIBUTES = ["crypto", "performance", "self", "navigator", "onerror", "onunhandledrejection", "onrejectionhandled"];
const WASM_OPERATIONS = ["compile", "compileStreaming", "instantiate", "instantiateStreaming", "validate"];

const problems = [];
let names = 0;
const expect = (name, ok) => {
  if (!ok) problems.push(name);
};
const own = (object, name) => {
  names++;
  const descriptor = Object.getOwnPropertyDescriptor(object, name);
  expect(`${name} exists`, descriptor !== undefined);
  return descriptor ?? {};
};

for (const name of INTERFACES) {
  const { value, writable, enumerable, configurable } = own(globalThis, name);
  expect(`${name} is a data property`, typeof value === "function");
  expect(`${name} can be replaced and is not enumerable`, writable && configurable && !enumerable);
  expect(`${name} is called so`, value?.name === name);
  const prototype = Object.getOwnPropertyDescriptor(value, "prototype");
  expect(`${name}.prototype is fixed`, !prototype.writable && !prototype.enumerable && !prototype.configurable);
  const tag = Object.getOwnPropertyDescriptor(value.prototype, Symbol.toStringTag);
  expect(`${name} has a tag`, tag?.value === name && !tag.writable && !tag.enumerable && tag.configurable);
  try {
    value();
    expect(`${name} is no plain function`, false);
  } catch (error) {
    expect(`${name} throws a TypeError when called`, error instanceof TypeError);
  }
}
for (const name of ILLEGAL) {
  try {
    new globalThis[name]();
    expect(`${name} cannot be constructed`, false);
  } catch (error) {
    expect(`${name} throws a TypeError when constructed`, error instanceof TypeError);
  }
}
for (const name of WASM_INTERFACES) {
  const { value, writable, enumerable, configurable } = own(WebAssembly, name);
  expect(`WebAssembly.${name}`, typeof value === "function" && writable && configurable && !enumerable);
}
for (const name of OPERATIONS) {
  const { value, writable, enumerable, configurable } = own(globalThis, name);
  expect(`${name} is an operation`, typeof value === "function" && value.name === name);
  expect(`${name} can be replaced and is enumerable`, writable && configurable && enumerable);
}
for (const name of ATTRIBUTES) {
  const { get, enumerable, configurable } = own(globalThis, name);
  expect(`${name} is an attribute`, get?.name === `get ${name}` && enumerable && configurable);
  try {
    get.call({});
    expect(`${name} is the global object's`, false);
  } catch (error) {
    expect(`${name} throws a TypeError for others`, error instanceof TypeError);
  }
}
for (const name of WASM_OPERATIONS) {
  const { value, writable, enumerable, configurable } = own(WebAssembly, name);
  expect(`WebAssembly.${name}`, typeof value === "function" && writable && configurable && enumerable);
}
own(WebAssembly, "JSTag");
const console_ = own(globalThis, "console");
expect("console is a namespace", console_.writable && console_.configurable && !console_.enumerable);
expect("console has a tag", Object.prototype.toString.call(console) === "[object console]");
own(globalThis, "globalThis");
// Counted with its object above.
expect("navigator.userAgent", /^Isle\/\d/.test(navigator.userAgent));

export const handler = async () => ({ names, problems });
