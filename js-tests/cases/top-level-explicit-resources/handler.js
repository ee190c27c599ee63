const closed = [];
{
  using one = { [Symbol.dispose]: () => closed.push("one") };
  using two = { [Symbol.dispose]: () => closed.push("two") };
  void one, void two;
}

export const handler = () => {
  const late = [];
  {
    using three = { [Symbol.dispose]: () => late.push("three") };
    void three;
  }
  return { closed, late };
};
