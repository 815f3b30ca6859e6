
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const key = (row, at) => row.cells[at].dataset.rank ?? row.cells[at].textContent;
  heads.forEach((head, at) => head.firstElementChild.addEventListener("click", () => {
    const first = at === 0 ? "descending" : "ascending";
    const other = at === 0 ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    const sign = order === "ascending" ? 1 : -1;
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const rows = [...body.rows].map((row) => [key(row, at), row]);
    rows.sort(([a], [b]) => sign * a.localeCompare(b, "en", { numeric: true }));
    body.append(...rows.map(([, row]) => row));
  }));
}
