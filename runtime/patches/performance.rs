//! Performance Timeline and User Timing.

use super::{Patch, patch};

pub const PATCHES: &[Patch] = &[
    // Performance Timeline: entries come in the order of time; an observer is of one kind, keeps what it has
    // when it is told of more, and hears how many entries were dropped (none are).
    patch(
        "deno_web/15_performance.js",
        r"  return ArrayPrototypeFilter(
    performanceEntries,
    (entry) =>",
        r"  return inOrder(
    performanceEntries,
    (entry) =>",
    ),
    patch(
        "deno_web/15_performance.js",
        "function filterByNameType(",
        r"const inOrder = (entries, wanted) =>
  primordials.ArrayPrototypeSort(ArrayPrototypeFilter(entries, wanted), (a, b) => a.startTime - b.startTime);
const SUPPORTED = primordials.ObjectFreeze(['mark', 'measure']);

function filterByNameType(",
    ),
    patch("deno_web/15_performance.js", "return [\"mark\", \"measure\"];", "return SUPPORTED;"),
    patch(
        "deno_web/15_performance.js",
        "  constructor(entries, key = undefined) {",
        "  constructor(entries = undefined, key = undefined) {",
    ),
    patch(
        "deno_web/15_performance.js",
        "    this[_entries] = entries;",
        "    this[_entries] = inOrder(entries, () => true);",
    ),
    patch(
        "deno_web/15_performance.js",
        "observer[_callback](entryList, observer);",
        r"const options = observer[_news] ? { droppedEntriesCount: 0 } : {};
      observer[_news] = false;
      observer[_callback](entryList, observer, options);",
    ),
    patch(
        "deno_web/15_performance.js",
        "const _scheduled = Symbol(\"[[scheduled]]\");",
        "const _scheduled = Symbol(\"[[scheduled]]\");\nconst _single = Symbol(\"[[single]]\");\nconst _news = Symbol(\"[[news]]\");",
    ),
    patch(
        "deno_web/15_performance.js",
        "  [_scheduled] = false;\n",
        "  [_scheduled] = false;\n  [_single] = undefined;\n  [_news] = false;\n",
    ),
    patch(
        "deno_web/15_performance.js",
        "    let types;\n    if (entryTypes !== undefined) {",
        r"    const single = type !== undefined;
    if ((this[_single] ??= single) !== single) {
      throw new DOMException(`${prefix}: 'type' and 'entryTypes' were used with one observer`, 'InvalidModificationError');
    }
    this[_news] = true;
    let types;
    if (entryTypes !== undefined) {",
    ),
    patch(
        "deno_web/15_performance.js",
        "      types = [type];\n    }\n\n    this[_entryTypes] = types;\n    this[_buffer] = [];\n",
        r"      types = ArrayPrototypeFilter(this[_entryTypes], (known) => known !== type);
      ArrayPrototypePush(types, type);
    }

    this[_entryTypes] = types;
",
    ),
    // User Timing: no options are options without members.
    patch(
        "deno_web/15_performance.js",
        "  if (webidl.type(V) === \"Object\" && V !== null) {\n    return webidl.converters[\"PerformanceMeasureOptions\"]",
        "  if (webidl.type(V) === \"Object\" || V === null) {\n    return webidl.converters[\"PerformanceMeasureOptions\"]",
    ),
];
