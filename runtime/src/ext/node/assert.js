// node:assert
(() => {
  const util = __bootstrap.node("util");
  class AssertionError extends Error {
    constructor({ message, actual, expected, operator, stackStartFn }) {
      super(message ?? `${util.inspect(actual)} ${operator} ${util.inspect(expected)}`);
      this.name = "AssertionError";
      Object.assign(this, { code: "ERR_ASSERTION", generatedMessage: message === undefined, actual, expected, operator });
      Error.captureStackTrace?.(this, stackStartFn);
    }
  }
  const fail = (message, actual, expected, operator, stackStartFn) => {
    if (message instanceof Error) throw message;
    throw new AssertionError({ message, actual, expected, operator, stackStartFn });
  };
  const check = (name, operator, holds) => {
    const assertion = { [name](actual, expected, message) {
      if (!holds(actual, expected)) fail(message, actual, expected, operator, assertion);
    } }[name];
    return assertion;
  };
  const truthy = (value, message) => {
    if (!value) fail(message ?? "The expression evaluated to a falsy value", value, true, "==", truthy);
  };
  const same = util.sameForAssert;
  // What `throws` and `rejects` are told to expect.
  const expected = (error, wanted, message) => {
    if (wanted === undefined || typeof wanted === "string") return;
    if (wanted instanceof RegExp) {
      if (!wanted.test(String(error))) fail(message ?? `The input did not match the regular expression ${wanted}`, error, wanted, "throws");
    } else if (typeof wanted === "function") {
      if (wanted.prototype !== undefined && error instanceof wanted) return;
      if (Error.isPrototypeOf(wanted) || wanted === Error || wanted.call({}, error) !== true) {
        if (Error.isPrototypeOf(wanted) || wanted === Error) throw error;
        fail(message ?? "The validation function is expected to return \"true\"", error, wanted, "throws");
      }
    } else {
      for (const key of Object.keys(wanted)) {
        const holds = wanted[key] instanceof RegExp && typeof error[key] === "string" ? wanted[key].test(error[key]) : same(error[key], wanted[key], true);
        if (!holds) fail(message, error, wanted, "throws");
      }
    }
  };
  const build = (strict) => {
    const assert = (value, message) => truthy(value, message);
    const strictEqual = check("strictEqual", "strictEqual", Object.is);
    const notStrictEqual = check("notStrictEqual", "notStrictEqual", (a, b) => !Object.is(a, b));
    const deepStrictEqual = check("deepStrictEqual", "deepStrictEqual", (a, b) => same(a, b, true));
    const notDeepStrictEqual = check("notDeepStrictEqual", "notDeepStrictEqual", (a, b) => !same(a, b, true));
    Object.assign(assert, {
      ok: truthy,
      fail: (message = "Failed") => fail(message, undefined, undefined, "fail"),
      equal: strict ? strictEqual : check("equal", "==", (a, b) => a == b || a !== a && b !== b),
      notEqual: strict ? notStrictEqual : check("notEqual", "!=", (a, b) => !(a == b || a !== a && b !== b)),
      deepEqual: strict ? deepStrictEqual : check("deepEqual", "deepEqual", (a, b) => same(a, b, false)),
      notDeepEqual: strict ? notDeepStrictEqual : check("notDeepEqual", "notDeepEqual", (a, b) => !same(a, b, false)),
      strictEqual,
      notStrictEqual,
      deepStrictEqual,
      notDeepStrictEqual,
      match: check("match", "match", (text, pattern) => typeof text === "string" && pattern.test(text)),
      doesNotMatch: check("doesNotMatch", "doesNotMatch", (text, pattern) => typeof text !== "string" || !pattern.test(text)),
      ifError(value) {
        if (value !== null && value !== undefined) fail(value instanceof Error ? value : `ifError got unwanted exception: ${value}`, value, null, "ifError");
      },
      throws(run, wanted, message) {
        let error;
        try {
          run();
        } catch (thrown) {
          error = { thrown };
        }
        if (error === undefined) fail(typeof wanted === "string" ? wanted : message ?? "Missing expected exception.", undefined, wanted, "throws");
        expected(error.thrown, wanted, message);
      },
      doesNotThrow(run, message) {
        try {
          run();
        } catch (error) {
          fail(`Got unwanted exception${typeof message === "string" ? `: ${message}` : "."}\n${error?.message}`, error, undefined, "doesNotThrow");
        }
      },
      async rejects(promise, wanted, message) {
        let error;
        try {
          await (typeof promise === "function" ? promise() : promise);
        } catch (thrown) {
          error = { thrown };
        }
        if (error === undefined) fail(typeof wanted === "string" ? wanted : message ?? "Missing expected rejection.", undefined, wanted, "rejects");
        expected(error.thrown, wanted, message);
      },
      async doesNotReject(promise, message) {
        try {
          await (typeof promise === "function" ? promise() : promise);
        } catch (error) {
          fail(`Got unwanted rejection${typeof message === "string" ? `: ${message}` : "."}\n${error?.message}`, error, undefined, "doesNotReject");
        }
      },
      AssertionError,
    });
    return assert;
  };
  const assert = build(false);
  assert.strict = build(true);
  assert.strict.strict = assert.strict;
  return assert;
})()
