// Turns on what a page without scripts leaves out: the chart with controls, and sorting and filtering of tables.
import DataTable from "TABLES_MODULE";

const dark = matchMedia("(prefers-color-scheme: dark)");

async function draw() {
  const block = document.getElementById("explore");
  if (!block) return;
  const spec = JSON.parse(document.getElementById("explore-spec").textContent);
  block.hidden = false;
  const chart = document.getElementById("explore-chart");
  const width = chart.clientWidth;
  const beside = width > 860;
  spec.columns = beside ? 2 : 1;
  spec.concat[0].width = beside ? width - 620 : width - 64;
  spec.concat[1].width = beside ? 300 : width - 150;
  if (!beside) spec.config.axisY.labelLimit = 110;
  await vegaEmbed(chart, spec, {
    renderer: "svg",
    bind: "#explore-controls",
    tooltip: { theme: dark.matches ? "dark" : "light" },
    actions: { export: true, source: false, compiled: false, editor: false },
    downloadFileName: "convrnn",
    logLevel: 1, // errors only: an empty chart, without networks, is not worth a warning
  });
}

for (const table of document.querySelectorAll("main table")) {
  if (table.tBodies[0].rows.length < 4) continue;
  new DataTable(table, {
    paging: false,
    info: false,
    order: [],
    autoWidth: false,
    layout: { topStart: "search", topEnd: null, bottomStart: null, bottomEnd: null },
    language: { search: "", searchPlaceholder: "Filter rows" },
  });
}

await draw();
document.body.dataset.ready = "true";
