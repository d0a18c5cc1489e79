"use strict";
// Pictures become live charts, with tooltips. Whatever fails here, the pictures stay.

const options = {
  mode: "vega-lite",
  renderer: "svg",
  actions: false,
  ast: true, // expressions are walked, not compiled: the page's policy allows no eval
  defaultStyle: false,
  tooltip: { disableDefaultStyle: true },
};

async function draw(chart) {
  const spec = JSON.parse(chart.querySelector("script").textContent);
  const fitted = { width: "container", autosize: { type: "fit-x", contains: "padding" } };
  const live = document.createElement("div");
  live.className = "live";
  chart.append(live);
  const { view } = await vegaEmbed(live, { ...spec, ...fitted }, options);
  chart.classList.add("drawn");
  return view;
}

async function drawFronts(fronts) {
  const views = await Promise.all([...fronts.querySelectorAll(".chart")].map(draw));
  const choice = fronts.querySelector("select");
  choice.closest(".control").hidden = false;
  choice.addEventListener("change", () => {
    for (const view of views) view.signal("at", Number(choice.value)).runAsync();
    for (const place of fronts.querySelectorAll(".at")) place.textContent = choice.value;
  });
}

for (const chart of document.querySelectorAll(".scales .chart")) draw(chart);
for (const fronts of document.querySelectorAll(".fronts")) drawFronts(fronts);

// A chart that was hidden had no width to take.
for (const input of document.querySelectorAll(".scales input")) {
  input.addEventListener("change", () => window.dispatchEvent(new Event("resize")));
}
