// An invocation's exchange of bodies: what of it is open, how it is sent, how it is given up, and
// what goes on after it. Shared by fetch handlers and streamed Lambda handlers; loaded with the
// first of them.
(function () {
const { core, primordials } = __bootstrap;
const { op_isle_body_room, op_isle_body_write, op_isle_console } = core.ops;
const {
  ArrayPrototypePush,
  PromisePrototypeThen,
  PromiseResolve,
  Promise,
  RangeError,
  SafeMap,
  TypeError,
  TypedArrayPrototypeGetByteLength,
  TypedArrayPrototypeGetSymbolToStringTag,
} = primordials;

/** Invocations with something to pump, to abort or to wait for: most have nothing. */
const open = new SafeMap();

function entry(id) {
  let found = open.get(id);
  if (found === undefined) {
    found = { __proto__: null, pump: undefined, aborts: [], listens: false, waiting: 0, drained: undefined };
    open.set(id, found);
  }
  return found;
}

/** Has `callback(reason)` called when nobody waits for the invocation any more. */
function onAbort(id, callback) {
  ArrayPrototypePush(entry(id).aborts, callback);
}

/** The same for the function's own signal: the handler may be waiting for nothing else. */
function onSignal(id, callback) {
  entry(id).listens = true;
  onAbort(id, callback);
}

/** What sends the response's body; returns a promise of its end. */
function setPump(id, pump) {
  entry(id).pump = pump;
}

function waitUntil(id, promise) {
  const it = entry(id);
  it.waiting++;
  const done = () => {
    it.waiting--;
    if (it.waiting === 0 && it.drained !== undefined) it.drained();
  };
  PromisePrototypeThen(PromiseResolve(promise), done, (error) => {
    op_isle_console(`Uncaught (in waitUntil) ${describe(error)}`, 3);
    done();
  });
}

let inspect;
function describe(error) {
  try {
    inspect ??= core.loadExtScript("ext:deno_web/01_console.js").inspect;
    return inspect(error);
  } catch {
    return "(an error that cannot be printed)";
  }
}

/**
 * Sends bytes as they are taken. Resolves to whether more is wanted.
 * @param {Uint8Array} bytes
 */
async function send(id, bytes) {
  const length = TypedArrayPrototypeGetByteLength(bytes);
  let at = 0;
  while (at < length) {
    if (TypedArrayPrototypeGetByteLength(bytes) !== length) {
      throw new TypeError("a piece of the response's body was detached or resized while it was being sent");
    }
    const taken = op_isle_body_write(id, bytes, at);
    if (taken < 0) return refused(taken);
    at += taken;
    if (at < length) await op_isle_body_room(id);
  }
  return true;
}

/** Sends what fits at once; what is left is for `send`. Returns how much was taken. */
function trySend(id, bytes) {
  return op_isle_body_write(id, bytes, 0);
}

function refused(code) {
  if (code === -2) throw new RangeError("the response's body is longer than the function's `stream_mb_max` allows");
  return false;
}

function isBytes(chunk) {
  return TypedArrayPrototypeGetSymbolToStringTag(chunk) === "Uint8Array";
}

const hooks = {
  __proto__: null,
  // The response's head is on its way. Returns a promise of the body's end, if this is who makes it.
  pump(id) {
    const it = open.get(id);
    if (it === undefined || it.pump === undefined) return undefined;
    const pump = it.pump;
    it.pump = undefined;
    return pump();
  },
  // The response is over, well or not. Returns a promise of what was to be waited for.
  after(id) {
    const it = open.get(id);
    if (it === undefined) return undefined;
    if (it.waiting === 0) {
      open.delete(id);
      return undefined;
    }
    it.aborts.length = 0;
    return new Promise((resolve) => it.drained = resolve);
  },
  // Nobody waits for the response any more.
  abort(id) {
    const it = open.get(id);
    if (it === undefined) return;
    const aborts = it.aborts;
    it.aborts = [];
    it.pump = undefined;
    for (let i = 0; i < aborts.length; i++) {
      try {
        aborts[i]();
      } catch (error) {
        op_isle_console(`Uncaught ${describe(error)}`, 3);
      }
    }
  },
  // Whether the function may be waiting for its client to leave.
  listens(id) {
    return open.get(id)?.listens === true;
  },
  // The invocation is over, with whatever was waited for.
  close(id) {
    open.delete(id);
  },
};

return { describe, hooks, isBytes, onAbort, onSignal, open, refused, send, setPump, trySend, waitUntil };
})();
