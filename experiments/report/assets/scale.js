// Numbers to pixels, straight or logarithmic, with ticks that a reader likes.

function scale(domain, range, log) {
  const turn = log ? Math.log10 : (x) => x;
  const [low, high] = domain.map(turn);
  const width = high - low || 1;
  const place = (x) => range[0] + ((turn(x) - low) / width) * (range[1] - range[0]);
  place.ticks = (count) => (log ? logTicks(domain, count) : ticks(domain, count));
  place.invert = (pixel) => {
    const at = low + ((pixel - range[0]) / (range[1] - range[0])) * width;
    return log ? 10 ** at : at;
  };
  return place;
}

function ticks([low, high], count) {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) {
    found.push(Number((n * step).toPrecision(12)));
  }
  return found;
}

function logTicks([low, high], count) {
  const decades = Math.log10(high / low);
  const heads = decades < count / 3 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / count));
  const found = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p += every) {
    for (const head of heads) {
      const tick = head * 10 ** p;
      if (tick >= low * 0.999 && tick <= high * 1.001) found.push(tick);
    }
  }
  return found.length > 1 ? found : ticks([low, high], 4);
}

// The span of values, a little wider; without outliers unless all are wanted.
function span(values, { log = false, all = true, pad = 0.05 } = {}) {
  const known = values.filter((x) => Number.isFinite(x) && (!log || x > 0));
  if (!known.length) return log ? [1, 10] : [0, 1];
  known.sort((a, b) => a - b);
  const cut = all || known.length < 50 ? 0 : Math.floor(known.length * 0.02);
  let [low, high] = [known[0], known[known.length - 1 - cut]];
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  const more = pad * (log ? Math.log10(high / low) : high - low);
  return log ? [low / 10 ** more, high * 10 ** more] : [low - more, high + more];
}

// A share ends at 0 and at 1, with room for a dot on the edge.
function within([low, high], share) {
  return share ? [Math.max(low, -0.03), Math.min(high, 1.03)] : [low, high];
}
