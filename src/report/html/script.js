
/* The page is complete without this script: it adds the filter, and the buttons that copy. */
const filter = document.getElementById("filter");
if (filter) {
  const words = document.getElementById("words");
  const found = document.getElementById("found");
  const all = document.getElementById("all");
  const parts = [...document.querySelectorAll(".part")];
  const groups = [...document.querySelectorAll("details.rule")].map((group) => ({
    group,
    open: group.open,
    count: group.querySelector(".count"),
    number: group.querySelector(".count").textContent,
    rows: [...group.querySelectorAll("li")],
    more: group.querySelector(".more"),
  }));
  const total = groups.reduce((sum, { rows }) => sum + rows.length, 0);
  const chosen = { weight: new Set(), severity: new Set(), source: new Set(), gate: new Set(), account: new Set(), owner: new Set() };
  /* So many findings are opened; more are for the reader to open. */
  const most = 100;

  const has = (element, facet) => chosen[facet].size === 0
    || (element.dataset[facet] ?? "").split(facet === "gate" ? " " : "\n").some((value) => chosen[facet].has(value));

  const texts = new Map();
  const textOf = (row, group) => {
    let text = texts.get(row);
    if (text === undefined) {
      text = `${group.querySelector("summary").textContent} ${row.textContent}`.toLowerCase();
      texts.set(row, text);
    }
    return text;
  };

  const apply = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter((word) => word);
    const active = wanted.length > 0 || Object.values(chosen).some((values) => values.size > 0);
    let matched = 0;
    for (const { group, count, number, rows } of groups) {
      const mayMatch = ["weight", "severity", "source"].every((facet) => has(group, facet));
      let own = 0;
      for (const row of rows) {
        const shows = mayMatch && ["gate", "account", "owner"].every((facet) => has(row, facet))
          && wanted.every((word) => textOf(row, group).includes(word));
        row.hidden = !shows;
        own += shows ? 1 : 0;
      }
      group.hidden = own === 0;
      count.textContent = active && own < rows.length ? `${own.toLocaleString("en")} of ${number}` : number;
      matched += own;
    }
    let opened = 0;
    for (const { group, open, rows, more } of groups) {
      const own = group.hidden ? 0 : rows.filter((row) => !row.hidden).length;
      const few = active && own > 0 && opened + own <= most;
      opened += few ? own : 0;
      group.open = active ? few : open;
      if (more) {
        more.hidden = !more.querySelector("li:not([hidden])");
        more.open = few;
      }
    }
    for (const part of parts) part.hidden = !part.querySelector("details.rule:not([hidden])");
    found.textContent = active ? `${matched.toLocaleString("en")} of ${total.toLocaleString("en")} findings` : "";
    all.hidden = !active;
  };

  const press = (chip, on) => {
    chip.setAttribute("aria-pressed", String(on));
    const values = chosen[chip.dataset.facet];
    if (on) values.add(chip.dataset.value); else values.delete(chip.dataset.value);
  };
  const chips = [...filter.querySelectorAll("[aria-pressed]")];
  const clear = () => {
    words.value = "";
    for (const chip of chips) press(chip, false);
    for (const values of Object.values(chosen)) values.clear();
  };
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      press(chip, chip.getAttribute("aria-pressed") !== "true");
      apply();
    });
  }
  let timer = 0;
  words.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, 120);
  });
  all.addEventListener("click", () => {
    clear();
    apply();
    words.focus();
  });
  for (const link of document.querySelectorAll("a[data-gate]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      clear();
      const chip = chips.find(({ dataset }) => dataset.facet === "gate" && dataset.value === link.dataset.gate);
      const further = document.getElementById("further");
      if (further) further.open = Boolean(chip);
      if (chip) press(chip, true); else chosen.gate.add(link.dataset.gate);
      apply();
      const title = document.getElementById("findings-title");
      title.scrollIntoView();
      title.focus({ preventScroll: true });
    });
  }

  /* Buttons are made when findings are first seen: most never are. */
  const copied = async (text, row) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      /* Outside a secure page only what is selected can be copied. */
      getSelection().selectAllChildren(row.querySelector("code"));
      return false;
    }
  };
  const button = (row, title, text) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "copy";
    made.textContent = title;
    made.setAttribute("aria-label", `${title} of ${row.querySelector("code").textContent}`);
    made.addEventListener("click", async () => {
      made.textContent = await copied(text, row) ? "copied" : "selected";
      setTimeout(() => { made.textContent = title; }, 1500);
    });
    return made;
  };
  const equip = (list) => {
    for (const row of list.children) {
      if (row.querySelector(".copy")) return;
      const id = row.querySelector("code");
      id.after(" ", button(row, "copy id", id.textContent), " ", button(row, "copy fingerprint", row.dataset.name));
    }
  };
  const seen = (details) => {
    const list = details.open && details.querySelector(":scope > ul");
    if (list) equip(list);
  };
  for (const { group, more } of groups) {
    for (const details of more ? [group, more] : [group]) {
      seen(details);
      details.addEventListener("toggle", () => seen(details));
    }
  }
  filter.hidden = false;
}
