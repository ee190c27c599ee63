(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const plots = [...document.querySelectorAll(".plot")];
  for (const input of document.querySelectorAll(".switch input")) {
    input.addEventListener("change", () => {
      for (const plot of plots) plot.hidden = plot.dataset.scale !== input.value;
    });
  }
  const source = document.getElementById("series");
  if (!source) return;
  const series = JSON.parse(source.textContent);
  const three = (v) => (v < 9.995 ? v.toFixed(2) : v < 99.95 ? v.toFixed(1) : v.toFixed(0));
  const time = (us) =>
    us < 9.995 ? us.toFixed(1) + " µs"
    : us < 999.5 ? us.toFixed(0) + " µs"
    : us < 999500 ? three(us / 1e3) + " ms"
    : three(us / 1e6) + " s";
  const within = (points, share) => (points.find((point) => point[0] >= share) || points[points.length - 1])[1];
  for (const plot of plots) {
    const svg = plot.querySelector("svg");
    const cursor = svg.querySelector(".cursor");
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    plot.append(tip);
    const [left, right, nines] = ["left", "right", "nines"].map((name) => Number(plot.dataset[name]));
    const leave = () => { tip.hidden = true; cursor.setAttribute("hidden", ""); };
    plot.addEventListener("pointerleave", leave);
    plot.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = (event.clientX - box.left) / box.width;
      if (at < left || at > right) return leave();
      const n = ((at - left) / (right - left)) * nines;
      const share = 1 - 10 ** -n;
      const percent = (share * 100).toFixed(Math.max(0, Math.min(6, Math.ceil(n) - 1)));
      tip.replaceChildren(percent + " % within", ...series.flatMap((one) => {
        const row = document.createElement("div");
        row.textContent = time(within(one.points, share)) + "  " + one.name;
        return one.points.length ? [row] : [];
      }));
      tip.hidden = false;
      // Where the chart is wider than its frame, both coordinates are the chart's.
      const x = event.clientX - box.left;
      const shown = svg.viewBox.baseVal.width * at;
      cursor.setAttribute("x1", shown);
      cursor.setAttribute("x2", shown);
      cursor.removeAttribute("hidden");
      tip.style.left = (at > 0.7 ? x - 14 - tip.offsetWidth : x + 14) + "px";
    });
  }
})();
