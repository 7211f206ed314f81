// Attention of a head, a square for each pair of tokens.

function drawMap(canvas) {
  const { rows, columns, weights } = DATA.maps[Number(canvas.dataset.map)];
  const levels = Uint8Array.from(atob(weights), (sign) => sign.charCodeAt(0));
  const shade = getComputedStyle(document.documentElement).getPropertyValue("--shade");
  const [red, green, blue] = shade.split(",").map(Number);
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  levels.forEach((level, place) => {
    // The root shows what is faint; white stays white.
    image.data.set([red, green, blue, 255 * Math.sqrt(level / 255)], 4 * place);
  });
  context.putImageData(image, 0, 0);
}
