//! Streams.

use super::{Patch, patch};

pub const PATCHES: &[Patch] = &[
    // Streams: the size function of a strategy is called without a `this`.
    patch(
        "deno_web/06_streams.js",
        "chunkSize = controller[_strategySizeAlgorithm](chunk);",
        "const size = controller[_strategySizeAlgorithm];\n        chunkSize = size(chunk);",
    ),
    patch(
        "deno_web/06_streams.js",
        "value = controller[_strategySizeAlgorithm](chunk);",
        "const size = controller[_strategySizeAlgorithm];\n    value = size(chunk);",
    ),
    // Streams: a chunk that arrives while its source's code runs is written when that code is done.
    patch(
        "deno_web/06_streams.js",
        r"    chunkSteps(chunk) {
      writeChunk(chunk);
      if (pumping) {
        syncAdvance = true;
      } else {
        pump();
      }
    },",
        r"    chunkSteps(chunk) {
      if (pumping) {
        writeChunk(chunk);
        syncAdvance = true;
        return;
      }
      late = { chunk };
      queueMicrotask(() => {
        if (shuttingDown === false) writeLate();
        pump();
      });
    },",
    ),
    patch(
        "deno_web/06_streams.js",
        "  /** @param {any} chunk */\n  function writeChunk(chunk) {\n    if (bypassActive) {",
        r"  function writeLate() {
    if (late === undefined) return;
    const { chunk } = late;
    late = undefined;
    writeChunk(chunk);
  }

  /** @param {any} chunk */
  function writeChunk(chunk) {
    if (bypassActive) {",
    ),
    patch(
        "deno_web/06_streams.js",
        "  let currentWrite = PromiseResolve(undefined);\n",
        "  let currentWrite = PromiseResolve(undefined);\n  let late;\n",
    ),
    patch(
        "deno_web/06_streams.js",
        "    const oldCurrentWrite = currentWrite;\n",
        "    writeLate();\n    const oldCurrentWrite = currentWrite;\n",
    ),
    // Streams: the promise of a transformer's cancel() is converted to one of ours, which takes its turns.
    patch(
        "deno_web/06_streams.js",
        r#"    cancelAlgorithm = (reason) =>
      webidl.invokeCallbackFunction(
        transformerDict.cancel,
        [reason],
        transformer,
        webidl.converters["Promise<undefined>"],
        "Failed to execute 'cancelAlgorithm' on 'TransformStreamDefaultController'",
        true,
      );"#,
        r#"    cancelAlgorithm = (reason) =>
      resolvePromiseWith(webidl.invokeCallbackFunction(
        transformerDict.cancel,
        [reason],
        transformer,
        webidl.converters["Promise<undefined>"],
        "Failed to execute 'cancelAlgorithm' on 'TransformStreamDefaultController'",
        true,
      ));"#,
    ),
    // Streams: text is a sequence of its characters.
    patch(
        "deno_web/06_streams.js",
        "    asyncIterable = webidl.converters[\"async_sequence<any>\"](\n      asyncIterable,",
        "    asyncIterable = webidl.converters[\"async_sequence<any>\"](\n      typeof asyncIterable === \"string\" ? primordials.Object(asyncIterable) : asyncIterable,",
    ),
    // Streams: every view that can be filled is, before anybody is told of the first.
    patch(
        "deno_web/06_streams.js",
        r"  controller,
) {
  assert(!controller[_closeRequested]);
  while (controller[_pendingPullIntos].size !== 0) {
    if (controller[_queueTotalSize] === 0) {
      return;
    }",
        r"  controller,
  first = undefined,
) {
  assert(!controller[_closeRequested]);
  const filled = first === undefined ? [] : [first];
  while (controller[_pendingPullIntos].size !== 0) {
    if (controller[_queueTotalSize] === 0) {
      break;
    }",
    ),
    patch(
        "deno_web/06_streams.js",
        r"      readableByteStreamControllerShiftPendingPullInto(controller);
      readableByteStreamControllerCommitPullIntoDescriptor(
        controller[_stream],
        pullIntoDescriptor,
      );
    }
  }
}",
        r"      readableByteStreamControllerShiftPendingPullInto(controller);
      ArrayPrototypePush(filled, pullIntoDescriptor);
    }
  }
  for (let i = 0; i < filled.length; i++) {
    readableByteStreamControllerCommitPullIntoDescriptor(controller[_stream], filled[i]);
  }
}",
    ),
    patch(
        "deno_web/06_streams.js",
        r"  pullIntoDescriptor.bytesFilled -= remainderSize;
  readableByteStreamControllerCommitPullIntoDescriptor(
    controller[_stream],
    pullIntoDescriptor,
  );
  readableByteStreamControllerProcessPullIntoDescriptorsUsingQueue(
    controller,
  );",
        r"  pullIntoDescriptor.bytesFilled -= remainderSize;
  readableByteStreamControllerProcessPullIntoDescriptorsUsingQueue(controller, pullIntoDescriptor);",
    ),
    // Streams: what programs put on Object.prototype is no part of a body's source.
    patch(
        "deno_web/06_streams.js",
        r#"  const underlyingSource = {
    type: "bytes",
    async pull(controller) {
      const v = controller.byobRequest.view;
      try {
        if (controller[_readAll]"#,
        r#"  const underlyingSource = {
    __proto__: null,
    type: "bytes",
    async pull(controller) {
      const v = controller.byobRequest.view;
      try {
        if (controller[_readAll]"#,
    ),
    // Compression: a chunk is unpacked slice by slice, and what came of one is counted before the next. Of deflate, a byte
    // becomes a thousand at most; of brotli, ten may become 16 MiB.
    patch(
        "deno_web/14_compression.js",
        r#"    const rid = op_compression_new(format, true);

    this.#transform = new TransformStream({
      transform(chunk, controller) {
        chunk = convertChunk(chunk, prefix);
        const output = op_compression_write(
          rid,
          chunk,
        );
        maybeEnqueue(controller, output);
      },
"#,
        r#"    const rid = op_compression_new(format, true);
    const sliceBytes = format === "brotli" ? 16 : 16_384;

    this.#transform = new TransformStream({
      transform(chunk, controller) {
        const { buffer, offset, length } = placeOf(convertChunk(chunk, prefix));
        for (let at = 0; at < length; at += sliceBytes) {
          const slice = new primordials.Uint8Array(buffer, offset + at, primordials.MathMin(sliceBytes, length - at));
          maybeEnqueue(controller, op_compression_write(rid, slice));
        }
      },
"#,
    ),
    // Compression: data that end too early are an error. That a decoder has seen its end shows in that it takes no more.
    patch(
        "deno_web/14_compression.js",
        r#"      flush(controller) {
        const output = op_compression_finish(rid, true);
        maybeEnqueue(controller, output);
      },
      cancel: (_reason) => {
        op_compression_finish(rid, false);
      },
    });

    this[webidl.brand] = webidl.brand;
  }

  get readable() {
    webidl.assertBranded(this, DecompressionStreamPrototype);"#,
        r#"      flush(controller) {
        if (format === "deflate" || format === "deflate-raw") checkEnd(rid);
        const output = op_compression_finish(rid, true);
        maybeEnqueue(controller, output);
      },
      cancel: (_reason) => {
        op_compression_finish(rid, false);
      },
    });

    this[webidl.brand] = webidl.brand;
  }

  get readable() {
    webidl.assertBranded(this, DecompressionStreamPrototype);"#,
    ),
    patch(
        "deno_web/14_compression.js",
        "function maybeEnqueue(controller, output) {",
        r#"function placeOf(source) {
  if (!primordials.ArrayBufferIsView(source)) {
    return { buffer: source, offset: 0, length: primordials.ArrayBufferPrototypeGetByteLength(source) };
  }
  if (primordials.TypedArrayPrototypeGetSymbolToStringTag(source) === undefined) {
    return {
      buffer: primordials.DataViewPrototypeGetBuffer(source),
      offset: primordials.DataViewPrototypeGetByteOffset(source),
      length: primordials.DataViewPrototypeGetByteLength(source),
    };
  }
  return {
    buffer: primordials.TypedArrayPrototypeGetBuffer(source),
    offset: primordials.TypedArrayPrototypeGetByteOffset(source),
    length: TypedArrayPrototypeGetByteLength(source),
  };
}

function checkEnd(rid) {
  try {
    op_compression_write(rid, new primordials.Uint8Array(1));
  } catch (error) {
    if (error.message === "failed to write whole buffer") return;
  }
  throw new primordials.TypeError("the compressed data end too early");
}

function maybeEnqueue(controller, output) {"#,
    ),
];
