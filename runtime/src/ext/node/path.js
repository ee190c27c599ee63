// node:path, for paths with `/`.
(() => {
  const text = (value, name) => {
    if (typeof value !== "string") {
      const message = `The "${name}" argument must be of type string. Received ${value === null ? "null" : typeof value}`;
      throw Object.assign(new TypeError(message), { code: "ERR_INVALID_ARG_TYPE" });
    }
    return value;
  };
  const collapse = (path, absolute) => {
    const out = [];
    for (const part of path.split("/")) {
      if (part === "" || part === ".") continue;
      if (part === ".." && out.length > 0 && out.at(-1) !== "..") out.pop();
      else if (part !== ".." || !absolute) out.push(part);
    }
    return out.join("/");
  };
  const path = {
    sep: "/",
    delimiter: ":",
    normalize(value) {
      if (text(value, "path") === "") return ".";
      const absolute = value[0] === "/";
      let out = collapse(value, absolute);
      if (out === "" && !absolute) out = ".";
      if (out !== "" && value.endsWith("/")) out += "/";
      return absolute ? `/${out}` : out;
    },
    isAbsolute: (value) => text(value, "path")[0] === "/",
    join(...parts) {
      const joined = parts.filter((part) => text(part, "path") !== "").join("/");
      return joined === "" ? "." : path.normalize(joined);
    },
    resolve(...parts) {
      let out = "";
      for (let i = parts.length - 1; i >= 0 && out[0] !== "/"; i--) {
        if (text(parts[i], "path") !== "") out = out === "" ? parts[i] : `${parts[i]}/${out}`;
      }
      return `/${collapse(`/${out}`, true)}`;
    },
    relative(from, to) {
      const a = path.resolve(from).split("/").filter(Boolean), b = path.resolve(to).split("/").filter(Boolean);
      let same = 0;
      while (same < a.length && same < b.length && a[same] === b[same]) same++;
      return [...a.slice(same).map(() => ".."), ...b.slice(same)].join("/");
    },
    dirname(value) {
      const cut = text(value, "path").replace(/\/+$/, "");
      if (cut === "") return value[0] === "/" ? "/" : ".";
      const at = cut.lastIndexOf("/");
      if (at < 0) return ".";
      return cut.slice(0, at).replace(/\/+$/, "") || "/";
    },
    basename(value, suffix) {
      const base = text(value, "path").replace(/\/+$/, "").split("/").at(-1);
      return suffix !== undefined && base !== suffix && base.endsWith(suffix) ? base.slice(0, -suffix.length) : base;
    },
    extname(value) {
      const base = path.basename(value);
      const at = base.lastIndexOf(".");
      return at <= 0 || base === ".." ? "" : base.slice(at);
    },
    parse(value) {
      const root = text(value, "path")[0] === "/" ? "/" : "", base = path.basename(value), ext = path.extname(value);
      const dir = value.includes("/") ? path.dirname(value) : "";
      return { root, dir, base, ext, name: ext === "" ? base : base.slice(0, -ext.length) };
    },
    format({ root = "", dir, base, name = "", ext = "" }) {
      const file = base ?? `${name}${ext !== "" && ext[0] !== "." ? "." : ""}${ext}`;
      if (dir === undefined || dir === "") return `${root}${file}`;
      return dir === root ? `${dir}${file}` : `${dir}/${file}`;
    },
    toNamespacedPath: (value) => value,
    matchesGlob(value, pattern) {
      const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*\*\/?/g, "\0").replace(/\*/g, "[^/]*").replace(/\?/g, "[^/]");
      return new RegExp(`^${source.replaceAll("\0", ".*")}$`).test(value);
    },
  };
  path.posix = path;
  // There is no other file system to have paths of.
  path.win32 = path;
  return path;
})()
