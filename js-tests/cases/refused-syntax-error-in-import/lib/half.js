export function half(n) {
  const two = 2;
  return n / two +;
}
