// node:stream/promises
(() => __bootstrap.node("stream").promises)()
