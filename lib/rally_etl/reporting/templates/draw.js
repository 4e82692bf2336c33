(() => {
  "use strict";
  const config = { displaylogo: false, showSendToCloud: false, plotlyServerURL: "", showEditInChartStudio: false,
    responsive: true, displayModeBar: false, doubleClick: "reset" };
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = [];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const paint = (layout) => {
    const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--line-strong"), linecolor: colour("--line-strong") };
    const painted = { ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { ...(layout.font || {}), color: colour("--soft"), size: 12, family: "system-ui, sans-serif" },
      hoverlabel: { bgcolor: colour("--panel"), bordercolor: colour("--line-strong"), font: { color: colour("--text") } } };
    for (const key of ["xaxis", "yaxis", ...Object.keys(layout).filter((name) => /^[xy]axis\d+$/.test(name))])
      painted[key] = { automargin: true, ...(layout[key] || {}), ...axis };
    return painted;
  };
  for (const source of document.querySelectorAll("figure.chart > script[type='application/json']")) {
    const target = source.previousElementSibling;
    if (!window.Plotly) {
      target.textContent = "The chart is not drawn: plotly.min.js is missing beside this page.";
      target.style.height = "auto";
      continue;
    }
    const figure = JSON.parse(source.textContent);
    plots.push([target, figure]);
    window.Plotly.newPlot(target, figure.data, paint(figure.layout), config);
  }
  const repaint = () => plots.forEach(([target, figure]) =>
    window.Plotly.react(target, figure.data, paint(figure.layout), config));
  dark.addEventListener("change", repaint);
  window.addEventListener("beforeprint", repaint);
})();
