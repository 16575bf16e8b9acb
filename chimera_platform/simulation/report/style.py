"""How the page looks, by daylight and in the dark, and the few lines of script that sort and filter its trades."""

STYLE = """
:root { color-scheme: light dark; --page: #fbfbfa; --card: #ffffff; --text: #1d2226; --quiet: #667079; --rule:
  #e1e4e6; --line: #1b6fae; --band: #1b6fae; --fall: #b4432f; --gain: #17794a; --loss: #b4432f; --mark: #c26a00; }
@media (prefers-color-scheme: dark) { :root { --page: #14181b; --card: #1b2125; --text: #e4e8ea; --quiet: #95a0a8;
  --rule: #2d353b; --line: #62b0ec; --band: #62b0ec; --fall: #ef8370; --gain: #58c48e; --loss: #ef8370; --mark:
  #f0a94a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem 1.25rem 4rem; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 0 0 .6rem; }
h3 { font-size: .95rem; margin: 1.2rem 0 .3rem; }
a { color: var(--line); }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 1.1rem 1.25rem;
  margin-top: 1.1rem; overflow-x: auto; }
.note, figcaption, .legend, header p, header li { color: var(--quiet); font-size: .87rem; }
.note { margin: -.3rem 0 .8rem; }
header ul { list-style: none; margin: .3rem 0 0; padding: 0; }
nav { margin: .8rem 0 0; font-size: .9rem; }
nav a { margin-right: 1rem; white-space: nowrap; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .8rem; margin-top: 1.1rem; }
.tiles div { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: .65rem .9rem; }
.tiles div > span { display: block; color: var(--quiet); font-size: .8rem; }
.tiles b { font-size: 1.2rem; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 0 2.2rem; align-items:
  start; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; }
td, th { padding: .22rem .9rem .22rem 0; text-align: left; border-bottom: 1px solid var(--rule); vertical-align: top;
  white-space: nowrap; }
th { font-weight: 600; color: var(--quiet); }
.n { text-align: right; font-variant-numeric: tabular-nums; padding-right: 0; padding-left: .9rem; }
tfoot td { font-weight: 600; border-top: 2px solid var(--rule); border-bottom: 0; }
tbody tr:last-child td { border-bottom: 0; }
.gain, .gain b { color: var(--gain); }
.loss, .loss b { color: var(--loss); }
td.shade { background: color-mix(in srgb, var(--tone) calc(var(--much) * 45%), transparent); }
code { font: .82rem/1.5 ui-monospace, monospace; word-break: break-all; white-space: normal; }
figure { margin: 0 0 .6rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--quiet); font-size: 11.5px; font-variant-numeric: tabular-nums; }
svg .label { fill: var(--mark); font-size: 12.5px; font-weight: 600; }
.grid { stroke: var(--rule); stroke-width: 1; }
.zero { stroke: var(--quiet); stroke-dasharray: 3 4; fill: none; }
path.line { stroke: var(--line); stroke-width: 1.5; fill: none; stroke-linejoin: round; }
path.median { stroke: var(--quiet); stroke-width: 1.3; fill: none; stroke-dasharray: 5 4; }
.wide { fill: var(--band); background: var(--band); opacity: .14; }
.middle { fill: var(--band); background: var(--band); opacity: .24; }
.fall { fill: var(--fall); opacity: .55; }
.bar { fill: var(--band); opacity: .5; }
line.observed { stroke: var(--mark); stroke-width: 2; }
.legend { margin: 0; }
.key { margin-right: 1.2rem; white-space: nowrap; }
.key i { display: inline-block; width: 1.4rem; height: .7rem; margin-right: .4rem; vertical-align: -1px; }
.key i.line { height: 0; border-top: 2px solid var(--line); vertical-align: 4px; }
.key i.median { height: 0; border-top: 2px dashed var(--quiet); vertical-align: 4px; }
.months { table-layout: fixed; min-width: 46rem; }
.columns td:first-child { white-space: normal; }
.dense .n { padding-left: .55rem; }
.dense tbody th { color: var(--text); padding-top: .9rem; }
#trades .n { padding-right: .9rem; }
.bounded { max-height: 34rem; overflow: auto; }
.bounded thead th { position: sticky; top: 0; background: var(--card); cursor: pointer; user-select: none; }
th[aria-sort=ascending]::after { content: " ↑"; }
th[aria-sort=descending]::after { content: " ↓"; }
input { font: inherit; color: inherit; background: var(--page); border: 1px solid var(--rule); border-radius: 6px;
  padding: .3rem .6rem; width: 20rem; max-width: 100%; margin: 0 .8rem .6rem 0; }
details { margin: .2rem 0; }
summary { cursor: pointer; }
@media print { body { max-width: none; } .months { table-layout: fixed; min-width: 46rem; }
.columns td:first-child { white-space: normal; }
.dense .n { padding-left: .55rem; }
.dense tbody th { color: var(--text); padding-top: .9rem; }
#trades .n { padding-right: .9rem; }
.bounded { max-height: none; } input { display: none; } section {
  break-inside: avoid; } }
"""

SCRIPT = """
(() => {
  const table = document.getElementById("trades"), filter = document.getElementById("filter");
  if (!table) return;
  const body = table.tBodies[0], rows = [...body.rows], shown = document.getElementById("shown");
  const key = (row, k) => row.cells[k].dataset.v ?? row.cells[k].textContent;
  [...table.tHead.rows[0].cells].forEach((head, k) => head.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.sort((a, b) => {
      const x = key(a, k), y = key(b, k), order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
      return down ? -order : order;
    });
    body.append(...rows);
  }));
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase().split(/\\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase(), fits = wanted.every(each => text.includes(each));
      row.hidden = !fits;
      count += fits;
    }
    shown.textContent = count.toLocaleString("en");
  });
})();
"""
