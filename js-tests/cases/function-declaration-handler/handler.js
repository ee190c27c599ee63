export async function handler(event, context) {
  return { arguments: arguments.length >= 2, thisIsNotGlobal: this !== globalThis };
}
