// A cross hair with the values below it, for a pointer and for arrow keys.

const MOST_READ = 12;

function reader(host, made, found, metric) {
  const xs = [...new Set(found.flatMap((each) => each.points.map((p) => p.x)))].sort((a, b) => a - b);
  const line = shape("line", { class: "hair", y1: made.box.top, y2: made.box.bottom });
  const dots = shape("g", { class: "read" });
  const tip = element("div", { class: "tip", "aria-live": "polite" });
  made.svg.append(line, dots);
  host.append(tip);
  host.tabIndex = 0;
  let at = -1;
  const hide = () => {
    at = -1;
    host.classList.remove("reading");
  };
  const show = (index) => {
    at = Math.max(0, Math.min(xs.length - 1, index));
    host.classList.add("reading");
    const x = made.across(xs[at]);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    const rows = read(found, xs[at], metric);
    dots.replaceChildren(...rows.map((row) => shape("circle", { cx: x, cy: made.up(row.value), r: 4, class: `dot ${row.colour}` })));
    tip.replaceChildren(...tipLines(xs[at], rows, metric));
    const side = x > made.width / 2;
    tip.style.left = side ? "" : `${x + 14}px`;
    tip.style.right = side ? `${made.width - x + 14}px` : "";
  };
  host.onpointermove = host.onpointerdown = (event) => {
    const box = made.svg.getBoundingClientRect();
    show(nearest(xs, made.across.invert(((event.clientX - box.left) / box.width) * made.width)));
  };
  host.onpointerleave = (event) => event.pointerType === "mouse" && hide(); // a finger leaves what it tapped
  host.onblur = hide;
  host.onkeydown = (event) => {
    if (event.key === "Escape") hide();
    const last = xs.length - 1;
    const to = { ArrowLeft: at < 0 ? last : at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  };
}

function nearest(xs, x) {
  let [low, high] = [0, xs.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle;
    else high = middle;
  }
  return Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
}

function read(found, x, metric) {
  const rows = found.flatMap(({ variant, points }) => {
    const p = points.find((each) => each.x === x);
    if (!p || !Number.isFinite(p.mean)) return [];
    return [{ label: variant.label, colour: variant.colour, value: p.mean, low: p.low, high: p.high }];
  });
  return rows.sort((a, b) => (metric.share ? b.value - a.value : a.value - b.value)).slice(0, MOST_READ);
}

function tipLines(x, rows, metric) {
  const lines = rows.map((row) => {
    const swatch = element("span", { class: `swatch ${row.colour}`, "aria-hidden": "true" });
    const name = element("bdi");
    name.textContent = row.label;
    const ends = [row.low, row.high].map((end) => figure(end, metric.share));
    const spread = Number.isFinite(row.low) ? ` ${ends.join(" to ")}` : "";
    const value = element("b", {}, figure(row.value, metric.share));
    return element("div", {}, swatch, name, " ", value, element("small", {}, spread));
  });
  return [element("div", { class: "tip-head" }, `${find("over").value} ${short(x)}`), ...lines];
}
