// The page itself: themes, sorting, copying, and who draws where.

const DRAW = { curves: drawCurves, dots: drawDots, scatter: drawScatter, lines: drawLines };

function sortBy(heading) {
  const row = heading.parentElement;
  const place = [...row.children].indexOf(heading);
  const up = heading.getAttribute("aria-sort") !== "ascending";
  for (const each of row.children) each.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = heading.closest("table").tBodies[0];
  const rows = [...body.rows].sort((a, b) => compareCells(a.cells[place], b.cells[place], up));
  body.append(...rows);
}

// What has no value stays last either way.
function compareCells(a, b, up) {
  const [one, two] = [a.dataset.key, b.dataset.key];
  if (one === undefined || two === undefined) return (one === undefined) - (two === undefined);
  const numbers = a.classList.contains("number");
  const order = numbers ? Number(one) - Number(two) : one.localeCompare(two, undefined, { numeric: true });
  return up ? order : -order;
}

function theme() {
  const button = find("theme");
  const root = document.documentElement;
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => {
    button.textContent = dark() ? "Light" : "Dark";
    button.setAttribute("aria-pressed", String(dark()));
  };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    name();
    redraw();
  });
  name();
}

async function copy(button) {
  const code = button.closest(".code").querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // no clipboard here: ready for the keyboard
    button.textContent = "Selected";
  }
}

function start() {
  for (const each of document.querySelectorAll("[hidden]")) each.hidden = false;
  fillMetrics(find("metric"));
  if (!DATA.runs.some((run) => run.seconds)) find("over").lastElementChild.remove();
  if (Math.max(...DATA.variants.map((each) => each.runs.length)) < 3) find("band").value = "range";
  for (const host of document.querySelectorAll(".legend")) legend(host);
  for (const host of document.querySelectorAll("[data-chart]")) {
    drawings.push(() => DRAW[host.dataset.chart](host, Number(host.dataset.task)));
  }
  for (const each of document.querySelectorAll("canvas[data-map]")) drawings.push(() => drawMap(each));
  for (const each of document.querySelectorAll(".controls")) each.addEventListener("input", redraw);
  for (const each of document.querySelectorAll("th button")) {
    each.addEventListener("click", () => sortBy(each.closest("th")));
  }
  for (const each of document.querySelectorAll("button.copy")) each.addEventListener("click", () => copy(each));
  find("print").addEventListener("click", () => print());
  theme();
  redraw();
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) redraw();
    width = innerWidth;
  });
}

start();
