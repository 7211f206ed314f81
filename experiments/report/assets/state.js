// What is shown: the hidden variants and the settings of the controls.

const DATA = JSON.parse(find("data").textContent);
const hidden = new Set();
const drawings = [];

function shown(task) {
  return DATA.variants.filter((each) => each.task === task && !hidden.has(each.key));
}

function redraw() {
  for (const draw of drawings) draw();
}

function legend(host) {
  const keys = new Map();
  for (const each of DATA.variants) if (!keys.has(each.key)) keys.set(each.key, each);
  if (keys.size < 2) return;
  const buttons = [...keys.values()].map((each) => {
    const swatch = element("span", { class: `swatch ${each.colour}`, "aria-hidden": "true" });
    const name = element("bdi");
    name.textContent = each.label;
    const button = element("button", { type: "button", "aria-pressed": "true" }, swatch, name);
    button.title = `${each.label} (double click: this one alone)`;
    button.addEventListener("click", () => toggle(each.key));
    button.addEventListener("dblclick", () => alone(each.key));
    button.dataset.key = each.key;
    return button;
  });
  const all = element("button", { type: "button", class: "all" }, "all");
  all.addEventListener("click", () => choose(() => true));
  host.append(...buttons, all);
}

function toggle(key) {
  choose((each) => (each === key ? hidden.has(key) : !hidden.has(each)));
}

function alone(key) {
  choose((each) => each === key);
}

function choose(wanted) {
  const on = new Set(DATA.variants.map((each) => each.key).filter(wanted));
  for (const each of DATA.variants) {
    if (on.has(each.key)) hidden.delete(each.key);
    else hidden.add(each.key);
  }
  for (const button of document.querySelectorAll(".legend button[data-key]")) {
    button.setAttribute("aria-pressed", String(on.has(Number(button.dataset.key))));
  }
  redraw();
}
