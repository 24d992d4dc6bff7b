// Zoom and search for the flame graphs; sorting and filtering of the table of a load
// test. Everything can be read without a script.
for (const graph of document.querySelectorAll("svg.flame")) {
  const frames = [...graph.children].map((node) => ({
    node,
    left: parseFloat(node.getAttribute("x")),
    width: parseFloat(node.getAttribute("width")),
    level: parseFloat(node.getAttribute("y")),
  }));
  const tolerance = 0.021; // Positions are rounded to hundredths of a percent.
  const contains = (outer, inner) => outer.left <= inner.left + tolerance &&
    outer.left + outer.width >= inner.left + inner.width - tolerance;
  const zoom = (selected) => {
    const scale = 100 / selected.width;
    for (const frame of frames) {
      const above = frame.level <= selected.level && contains(frame, selected);
      const inside = frame.level > selected.level && contains(selected, frame);
      frame.node.style.display = above || inside ? "" : "none";
      frame.node.style.opacity = above && frame !== selected ? 0.6 : "";
      frame.node.setAttribute("x", (above ? 0 : (frame.left - selected.left) * scale) + "%");
      frame.node.setAttribute("width", (above ? 100 : frame.width * scale) + "%");
    }
  };
  // Each graph is one tab stop; the arrow keys move between its frames.
  const neighbour = (from, key) => {
    const visible = frames.filter((frame) => frame.node.style.display !== "none");
    const levels = [...new Set(frames.map((frame) => frame.level))].sort((a, b) => a - b);
    const nextLevel = levels[levels.indexOf(from.level) + { ArrowUp: -1, ArrowDown: 1 }[key]];
    if (key === "ArrowUp") return visible.find((f) => f.level === nextLevel && contains(f, from));
    if (key === "ArrowDown") return visible.find((f) => f.level === nextLevel && contains(from, f));
    const sameLevel = visible.filter((f) => f.level === from.level).sort((a, b) => a.left - b.left);
    return sameLevel[sameLevel.indexOf(from) + (key === "ArrowRight" ? 1 : -1)];
  };
  for (const frame of frames) {
    frame.node.setAttribute("tabindex", frame === frames[0] ? "0" : "-1");
    frame.node.setAttribute("role", "button");
    frame.node.addEventListener("click", () => zoom(frame));
    frame.node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") zoom(frame);
      else if (event.key === "Escape") zoom(frames[0]);
      else if (event.key.startsWith("Arrow")) neighbour(frame, event.key)?.node.focus();
      else return;
      event.preventDefault();
    });
  }
  const hint = graph.closest(".scroll").nextElementSibling;
  const [field, count] = [hint.querySelector("input"), hint.querySelector("output")];
  field.addEventListener("input", () => {
    const text = field.value.trim().toLowerCase();
    const hits = frames.filter((frame) => {
      const hit = text !== "" && frame.node.textContent.toLowerCase().includes(text);
      frame.node.classList.toggle("hit", hit);
      return hit;
    });
    graph.classList.toggle("searched", text !== "");
    count.textContent = text === "" ? "" : hits.length + (hits.length === 1 ? " frame" : " frames");
  });
  hint.hidden = false;
}
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  // The row of all requests stays at the top.
  const pinned = rows.filter((row) => row.classList.contains("total"));
  const named = rows.filter((row) => !row.classList.contains("total"));
  if (named.length < 2) continue;
  const heads = [...table.tHead.rows[0].cells];
  const name = (row) => row.cells[0].querySelector("code").textContent.toLowerCase();
  const value = (row, column) => column === 0 ? name(row)
    : parseFloat(row.cells[column].dataset.value);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      // Names begin with A, numbers with the largest; another click reverses this.
      const first = column === 0 ? "ascending" : "descending";
      const other = column === 0 ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const compare = (a, b) => a < b ? -sign : a > b ? sign : 0;
      const sorted = [...named].sort((a, b) => compare(value(a, column), value(b, column)));
      body.replaceChildren(...pinned, ...sorted);
    });
  });
  const filter = table.closest("section").querySelector(".filter");
  const [field, count] = [filter.querySelector("input"), filter.querySelector("output")];
  field.addEventListener("input", () => {
    const text = field.value.trim().toLowerCase();
    for (const row of named) row.hidden = !name(row).includes(text);
    const shown = named.filter((row) => !row.hidden).length;
    count.textContent = text === "" ? "" : shown + " of " + named.length;
  });
  filter.hidden = false;
}
