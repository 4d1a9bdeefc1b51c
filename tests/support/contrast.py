"""How well the texts of a page can be read."""

# The least contrast of a text with what lies behind it (WCAG 2.2, 1.4.3), and whose.
LEAST = """(() => {
  const parts = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
  };
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      layers.push(parts(getComputedStyle(e).backgroundColor));
    }
    return layers.reverse().reduce(
      (under, [r, g, b, a]) => [r, g, b].map((x, i) => a * x + (1 - a) * under[i]),
      [255, 255, 255],
    );
  };
  const light = (colour) => colour.slice(0, 3)
    .map((x) => x / 255)
    .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
    .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  let least = [99, ""];
  const texts = "h1, h2, p, a, th, td, label, button, span";
  for (const e of document.querySelectorAll(texts)) {
    if (!e.textContent.trim() || !e.offsetParent) continue;
    const pair = [light(parts(getComputedStyle(e).color)), light(behind(e))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < least[0]) least = [ratio, e.outerHTML.slice(0, 80)];
  }
  return least;
})()"""
