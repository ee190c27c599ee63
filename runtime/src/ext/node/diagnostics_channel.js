// node:diagnostics_channel
(() => {
  const channels = new Map();
  class Channel {
    #subscribers = [];
    #stores = new Map();
    constructor(name) {
      this.name = name;
    }
    get hasSubscribers() {
      return this.#subscribers.length > 0 || this.#stores.size > 0;
    }
    subscribe(subscriber) {
      this.#subscribers = [...this.#subscribers, subscriber];
    }
    unsubscribe(subscriber) {
      const at = this.#subscribers.indexOf(subscriber);
      if (at >= 0) this.#subscribers = this.#subscribers.toSpliced(at, 1);
      return at >= 0;
    }
    publish(message) {
      for (const subscriber of this.#subscribers) {
        try {
          subscriber(message, this.name);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
    bindStore(store, transform) {
      this.#stores.set(store, transform);
    }
    unbindStore(store) {
      return this.#stores.delete(store);
    }
    runStores(message, callback, self, ...args) {
      let run = () => {
        this.publish(message);
        return Reflect.apply(callback, self, args);
      };
      for (const [store, transform] of this.#stores) {
        const inner = run;
        run = () => store.run(transform === undefined ? message : transform(message), inner);
      }
      return run();
    }
  }
  const channel = (name) => {
    if (!channels.has(name)) channels.set(name, new Channel(name));
    return channels.get(name);
  };
  const EVENTS = ["start", "end", "asyncStart", "asyncEnd", "error"];
  class TracingChannel {
    constructor(names) {
      for (const event of EVENTS) this[event] = typeof names === "string" ? channel(`tracing:${names}:${event}`) : names[event];
    }
    get hasSubscribers() {
      return EVENTS.some((event) => this[event].hasSubscribers);
    }
    subscribe(handlers) {
      for (const event of EVENTS) if (handlers[event]) this[event].subscribe(handlers[event]);
    }
    unsubscribe(handlers) {
      return EVENTS.map((event) => !handlers[event] || this[event].unsubscribe(handlers[event])).every(Boolean);
    }
    traceSync(callback, context = {}, self, ...args) {
      return this.start.runStores(context, () => {
        try {
          return context.result = Reflect.apply(callback, self, args);
        } catch (error) {
          context.error = error;
          this.error.publish(context);
          throw error;
        } finally {
          this.end.publish(context);
        }
      });
    }
    tracePromise(callback, context = {}, self, ...args) {
      return this.start.runStores(context, () => {
        const settle = (key, value) => {
          context[key] = value;
          if (key === "error") this.error.publish(context);
          this.asyncStart.publish(context);
          this.asyncEnd.publish(context);
        };
        try {
          return Promise.resolve(Reflect.apply(callback, self, args)).then(
            (result) => (settle("result", result), result),
            (error) => {
              settle("error", error);
              throw error;
            },
          );
        } finally {
          this.end.publish(context);
        }
      });
    }
    traceCallback(callback, position = -1, context = {}, self, ...args) {
      const at = position < 0 ? args.length + position : position, done = args[at];
      args[at] = (error, result) => {
        if (error) this.error.publish(Object.assign(context, { error }));
        else context.result = result;
        this.asyncStart.runStores(context, () => {
          try {
            return done(error, result);
          } finally {
            this.asyncEnd.publish(context);
          }
        });
      };
      return this.start.runStores(context, () => {
        try {
          return Reflect.apply(callback, self, args);
        } finally {
          this.end.publish(context);
        }
      });
    }
  }
  return {
    channel,
    hasSubscribers: (name) => channels.get(name)?.hasSubscribers ?? false,
    subscribe: (name, subscriber) => channel(name).subscribe(subscriber),
    unsubscribe: (name, subscriber) => channel(name).unsubscribe(subscriber),
    tracingChannel: (names) => new TracingChannel(names),
    Channel,
  };
})()
