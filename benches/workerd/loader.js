// Loads the function anew for every request: an id that workerd has never seen, so that nothing of an earlier one serves.
import source from "function.js";

let versions = 0;

export default {
  fetch(request, env) {
    versions += 1;
    const code = () => ({
      compatibilityDate: "2026-10-01",
      mainModule: "main.js",
      modules: { "main.js": source },
    });
    return env.LOADER.get(`version-${versions}`, code).getEntrypoint().fetch(request);
  },
};
