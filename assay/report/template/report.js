// Zoom for the flame graphs: the only thing on this page that needs a script.
for (const graph of document.querySelectorAll("svg.flame")) {
  const frames = [...graph.children].map((node) => ({
    node,
    left: parseFloat(node.getAttribute("x")),
    width: parseFloat(node.getAttribute("width")),
    level: parseFloat(node.getAttribute("y")),
  }));
  const slack = 0.021; // Places are rounded to hundredths of a percent.
  const holds = (outer, inner) => outer.left <= inner.left + slack &&
    outer.left + outer.width >= inner.left + inner.width - slack;
  const zoom = (chosen) => {
    const scale = 100 / chosen.width;
    for (const frame of frames) {
      const above = frame.level <= chosen.level && holds(frame, chosen);
      const inside = frame.level > chosen.level && holds(chosen, frame);
      frame.node.style.display = above || inside ? "" : "none";
      frame.node.style.opacity = above && frame !== chosen ? 0.6 : "";
      frame.node.setAttribute("x", (above ? 0 : (frame.left - chosen.left) * scale) + "%");
      frame.node.setAttribute("width", (above ? 100 : frame.width * scale) + "%");
    }
  };
  // One tab stop for each graph; the arrow keys walk its frames.
  const beside = (from, key) => {
    const shown = frames.filter((frame) => frame.node.style.display !== "none");
    const row = [...new Set(frames.map((frame) => frame.level))].sort((a, b) => a - b);
    const next = row[row.indexOf(from.level) + { ArrowUp: -1, ArrowDown: 1 }[key]];
    if (key === "ArrowUp") return shown.find((f) => f.level === next && holds(f, from));
    if (key === "ArrowDown") return shown.find((f) => f.level === next && holds(from, f));
    const level = shown.filter((f) => f.level === from.level).sort((a, b) => a.left - b.left);
    return level[level.indexOf(from) + (key === "ArrowRight" ? 1 : -1)];
  };
  for (const frame of frames) {
    frame.node.setAttribute("tabindex", frame === frames[0] ? "0" : "-1");
    frame.node.setAttribute("role", "button");
    frame.node.addEventListener("click", () => zoom(frame));
    frame.node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") zoom(frame);
      else if (event.key === "Escape") zoom(frames[0]);
      else if (event.key.startsWith("Arrow")) beside(frame, event.key)?.node.focus();
      else return;
      event.preventDefault();
    });
  }
  graph.closest(".scroll").nextElementSibling.hidden = false;
}
