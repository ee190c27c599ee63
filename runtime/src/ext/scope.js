// The global object's own shape: what kind of scope it is, its attributes and event handlers.
// It is a service worker's: that is what the platform calls a scope that answers requests.
(function () {
const { core, primordials } = __bootstrap;
const {
  ObjectDefineProperties,
  ObjectDefineProperty,
  ObjectSetPrototypeOf,
  ReflectApply,
  ReflectGetOwnPropertyDescriptor,
  RangeError,
  SymbolToStringTag,
  TypeError,
} = primordials;
const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");
const event = core.loadExtScript("ext:deno_web/02_event.js");
const { DOMException } = core.loadExtScript("ext:deno_web/01_dom_exception.js");

// https://webidl.spec.whatwg.org/#quotaexceedederror
const optionalNumber = (value, name) => {
  if (value === undefined) return null;
  const number = webidl.converters.double(value, "Failed to construct 'QuotaExceededError'", name);
  if (number < 0) throw new RangeError(`${name} must not be negative`);
  return number;
};
class QuotaExceededError extends DOMException {
  #quota = null;
  #requested = null;
  constructor(message = "", options = undefined) {
    super(message, "QuotaExceededError");
    if (options === undefined || options === null) return;
    if (typeof options !== "object" && typeof options !== "function") {
      throw new TypeError("Failed to construct 'QuotaExceededError': the options are not an object");
    }
    this.#quota = optionalNumber(options.quota, "quota");
    this.#requested = optionalNumber(options.requested, "requested");
    if (this.#quota !== null && this.#requested !== null && this.#requested < this.#quota) {
      throw new RangeError("requested must not be less than quota");
    }
  }
  get quota() {
    return this.#quota;
  }
  get requested() {
    return this.#requested;
  }
}
ObjectDefineProperty(QuotaExceededError, "length", { __proto__: null, value: 0, configurable: true });
webidl.configureInterface(QuotaExceededError);

for (const name of ["CloseEvent", "CustomEvent", "ErrorEvent", "MessageEvent", "ProgressEvent", "PromiseRejectionEvent"]) {
  ObjectDefineProperty(event[name].prototype, SymbolToStringTag, { __proto__: null, value: name, configurable: true });
}

// Nothing here makes one; programs look for the class.
class FileList {
  constructor() {
    webidl.illegalConstructor();
  }
  get length() {
    webidl.assertBranded(this, FileList.prototype);
    return 0;
  }
  item(index) {
    webidl.assertBranded(this, FileList.prototype);
    webidl.requiredArguments(arguments.length, 1, "Failed to execute 'item' on 'FileList'");
    void index;
    return null;
  }
}

class WorkerGlobalScope extends event.EventTarget {
  constructor() {
    super();
    webidl.illegalConstructor();
  }
}
class ServiceWorkerGlobalScope extends WorkerGlobalScope {}
class WorkerNavigator {
  constructor() {
    webidl.illegalConstructor();
  }
  get userAgent() {
    webidl.assertBranded(this, WorkerNavigator.prototype);
    return core.ops.op_isle_user_agent();
  }
  // What the standard fixes for everybody.
  get appCodeName() {
    webidl.assertBranded(this, WorkerNavigator.prototype);
    return "Mozilla";
  }
  get appName() {
    webidl.assertBranded(this, WorkerNavigator.prototype);
    return "Netscape";
  }
  get appVersion() {
    webidl.assertBranded(this, WorkerNavigator.prototype);
    return "5.0";
  }
  get platform() {
    webidl.assertBranded(this, WorkerNavigator.prototype);
    return "";
  }
  get product() {
    webidl.assertBranded(this, WorkerNavigator.prototype);
    return "Gecko";
  }
}
for (const type of [FileList, WorkerGlobalScope, ServiceWorkerGlobalScope, WorkerNavigator]) webidl.configureInterface(type);
const navigator = webidl.createBranded(WorkerNavigator);

// An attribute of the global object: without a `this` it is the global's.
const attribute = (global, name, get, set) => {
  const check = (receiver) => {
    if (receiver !== undefined && receiver !== null && receiver !== global) throw new TypeError("Illegal invocation");
  };
  const accessors = ReflectGetOwnPropertyDescriptor({
    get [name]() {
      check(this);
      return get();
    },
    set [name](value) {
      check(this);
      set(value);
    },
  }, name);
  if (set === undefined) accessors.set = undefined;
  ObjectDefineProperty(global, name, { __proto__: null, ...accessors, enumerable: true, configurable: true });
};
// One that gives way to what is assigned to it.
const replaceable = (global, name, value) =>
  attribute(global, name, () => value, (other) => {
    ObjectDefineProperty(global, name, {
      __proto__: null, value: other, writable: true, enumerable: true, configurable: true,
    });
  });

function install(global, members) {
  ObjectSetPrototypeOf(global, ServiceWorkerGlobalScope.prototype);
  ObjectDefineProperties(global, {
    [webidl.brand]: { __proto__: null, value: webidl.brand },
    FileList: core.propNonEnumerable(FileList),
    QuotaExceededError: core.propNonEnumerable(QuotaExceededError),
    ServiceWorkerGlobalScope: core.propNonEnumerable(ServiceWorkerGlobalScope),
    WorkerGlobalScope: core.propNonEnumerable(WorkerGlobalScope),
    WorkerNavigator: core.propNonEnumerable(WorkerNavigator),
  });
  event.saveGlobalThisReference(global);
  event.setEventTargetData(global);
  attribute(global, "self", () => global);
  attribute(global, "navigator", () => navigator);
  attribute(global, "crossOriginIsolated", () => false);
  attribute(global, "crypto", () => members.crypto);
  replaceable(global, "performance", members.performance);
  for (const name of ["error", "unhandledrejection", "rejectionhandled"]) {
    event.defineEventHandler(global, name, undefined, name === "error");
    const own = ReflectGetOwnPropertyDescriptor(global, `on${name}`);
    attribute(
      global,
      `on${name}`,
      () => ReflectApply(own.get, global, []),
      (value) => ReflectApply(own.set, global, [value]),
    );
  }
}

// Tells the function's own listeners of a rejection; whether that was enough.
function rejection(global, type, promise, reason) {
  if (event.listenerCount(global, type) === 0) return false;
  const cancelable = type === "unhandledrejection";
  return !global.dispatchEvent(new event.PromiseRejectionEvent(type, { promise, reason, cancelable }));
}

// `console` is a namespace: its prototype is an object of its own, with nothing in it.
const namespace = (name, members) => {
  ObjectSetPrototypeOf(members, {});
  return ObjectDefineProperty(members, SymbolToStringTag, { __proto__: null, value: name, configurable: true });
};

return { install, namespace, rejection, QuotaExceededError };
})();
