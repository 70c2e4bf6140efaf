/** Written by page/write-assets.mjs, from the files beside it. */
export const style = `:root {
  color-scheme: light dark;
  --paper: #f6f7f9;
  --card: #ffffff;
  --ink: #1c2330;
  --quiet: #566072;
  --line: #d9dde5;
  --accent: #3451b2;
  --on-accent: #ffffff;
  --bad: #b3261e;
  --bad-paper: #fdeceb;
  --warning: #8a5300;
  --warning-paper: #fdf3e0;
  --good: #1f6f43;
  --good-paper: #e8f5ed;
  --info-paper: #e9eefb;
  --field: #ffffff;
  --field-line: #8791a3;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
}

@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161d;
    --card: #1a2029;
    --ink: #e6e9ef;
    --quiet: #a0a9b8;
    --line: #303846;
    --accent: #9db2ff;
    --on-accent: #101a3a;
    --bad: #ff9d94;
    --bad-paper: #3a1d1c;
    --warning: #f3c070;
    --warning-paper: #33280f;
    --good: #7fd6a4;
    --good-paper: #15301f;
    --info-paper: #1e2a4a;
    --field: #12161d;
    --field-line: #6f7a8d;
  }
}

* {
  box-sizing: border-box;
}

body {
  background: var(--paper);
  color: var(--ink);
  font:
    16px / 1.5 system-ui,
    -apple-system,
    "Segoe UI",
    Roboto,
    sans-serif;
  margin: 0;
}

a {
  color: var(--accent);
  text-underline-offset: 0.15em;
}

header,
main,
footer {
  padding: 0 max(1.5rem, calc(50% - 36.5rem));
}

header {
  align-items: center;
  background: var(--card);
  border-bottom: 1px solid var(--line);
  display: flex;
  flex-wrap: wrap;
  gap: 0.25rem 1.5rem;
  min-height: 3.5rem;
}

.brand {
  align-items: center;
  color: var(--ink);
  display: flex;
  font-weight: 650;
  gap: 0.5rem;
  text-decoration: none;
}

header nav {
  display: flex;
  gap: 0.25rem;
}

header nav a {
  border-bottom: 3px solid transparent;
  color: var(--quiet);
  padding: 1rem 0.625rem 0.8rem;
  text-decoration: none;
}

header nav a:hover {
  color: var(--ink);
}

header nav a[aria-current] {
  border-color: var(--accent);
  color: var(--ink);
  font-weight: 600;
}

.user {
  margin: 0 0 0 auto;
  max-width: 20rem;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}

main {
  outline: none;
  padding-bottom: 2rem;
}

footer {
  font-size: 0.875rem;
  padding-bottom: 2rem;
}

.live {
  align-items: center;
  display: flex;
  gap: 0.75rem;
}

.live[hidden] {
  display: none;
}

h1 {
  font-size: 1.5rem;
  letter-spacing: -0.01em;
  line-height: 1.25;
  margin: 1.75rem 0 1rem;
}

h2 {
  font-size: 1.0625rem;
  margin: 0 0 0.5rem;
}

p {
  margin: 0 0 0.75rem;
}

:focus-visible {
  outline: 3px solid var(--accent);
  outline-offset: 2px;
}

.confirm > * {
  margin: 0;
}

.skip {
  left: 1rem;
  position: absolute;
  top: -4rem;
}

.skip:focus {
  background: var(--card);
  padding: 0.5rem 1rem;
  top: 0.5rem;
}

.quiet {
  color: var(--quiet);
  font-size: 0.875rem;
}

label .quiet {
  font-weight: 400;
}

.badge {
  background: var(--warning-paper);
  border-radius: 1rem;
  color: var(--warning);
  display: inline-block;
  font-size: 0.8125rem;
  margin-left: 0.5rem;
  padding: 0 0.625rem;
}

.back {
  margin: 1.25rem 0 -0.75rem;
}

.card,
.verdict,
.notice {
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 0.625rem;
  margin: 0 0 1.25rem;
  padding: 1.125rem 1.25rem;
}

.verdict {
  border-left: 0.375rem solid var(--line);
}

.verdict h1,
.verdict h2 {
  font-size: 1.25rem;
  margin: 0 0 0.375rem;
}

.verdict p {
  max-width: 46rem;
}

.verdict > :last-child,
.card > :last-child,
.notice > :last-child {
  margin-bottom: 0;
}

.verdict.bad,
.notice.bad {
  background: var(--bad-paper);
  border-color: var(--bad);
}

.verdict.bad h2 {
  color: var(--bad);
}

.verdict.warning,
.notice.warning {
  background: var(--warning-paper);
  border-color: var(--warning);
}

.verdict.good,
.notice.good {
  border-color: var(--good);
}

.notice.good {
  background: var(--good-paper);
}

.verdict.good h2 {
  color: var(--good);
}

.notice {
  padding: 0.75rem 1.25rem;
}

.tiles {
  display: grid;
  gap: 0.75rem;
  grid-template-columns: repeat(6, 1fr);
  list-style: none;
  margin: 0 0 1.25rem;
  padding: 0;
}

.tile {
  align-content: start;
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 0.625rem;
  color: inherit;
  display: grid;
  height: 100%;
  padding: 0.75rem 1rem;
  text-decoration: none;
}

.tile:hover {
  border-color: var(--accent);
}

.tile .name {
  font-weight: 600;
}

.tile .count {
  font-size: 1.75rem;
  font-variant-numeric: tabular-nums;
  font-weight: 600;
  line-height: 1.3;
}

.tile.parked .count,
td a.parked {
  color: var(--bad);
}

.tile.overdue .count,
.overdue {
  color: var(--warning);
}

.columns {
  align-items: start;
  display: grid;
  gap: 0 1.25rem;
  grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr));
}

@media (min-width: 70rem) {
  .columns {
    grid-template-columns: 2fr 3fr;
  }
}

.columns > * {
  min-width: 0;
}

.chart {
  margin: 0 0 1rem;
}

.chart svg {
  background: linear-gradient(var(--line), var(--line)) bottom / 100% 1px no-repeat;
  display: block;
  height: 3.5rem;
  width: 100%;
}

.chart .runs,
.swatch.runs {
  background: var(--quiet);
  fill: var(--quiet);
}

.chart .replays,
.swatch.replays {
  background: var(--good);
  fill: var(--good);
}

.swatch {
  border-radius: 2px;
  display: inline-block;
  height: 0.625rem;
  margin-right: 0.125rem;
  width: 0.625rem;
}

.figures {
  display: grid;
  gap: 0.25rem 1.5rem;
  grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr));
  margin: 0;
}

.figures > div {
  display: flex;
  gap: 1rem;
  justify-content: space-between;
}

.figures dd,
.facts dd {
  margin: 0;
}

.figures dd {
  font-variant-numeric: tabular-nums;
  font-weight: 600;
}

.figures .quiet {
  font-weight: 400;
}

.scroll {
  overflow-x: auto;
}

table {
  border-collapse: collapse;
  width: 100%;
}

th,
td {
  border-bottom: 1px solid var(--line);
  padding: 0.5rem 0.75rem;
  text-align: left;
  vertical-align: baseline;
}

thead th {
  color: var(--quiet);
  font-size: 0.8125rem;
  font-weight: 600;
}

tbody tr:last-child > * {
  border-bottom: 0;
}

.numbers th:first-child {
  padding-left: 0;
}

.numbers tbody th {
  font-weight: 500;
  min-width: 9rem;
  overflow-wrap: anywhere;
}

.numbers td,
.numbers thead th:not(:first-child) {
  font-variant-numeric: tabular-nums;
  text-align: right;
}

.records {
  background: var(--card);
  border: 1px solid var(--line);
  border-collapse: separate;
  border-radius: 0.625rem;
  border-spacing: 0;
}

.records tbody tr:hover {
  background: var(--info-paper);
}

.state {
  border-radius: 1rem;
  display: inline-block;
  font-size: 0.875rem;
  font-weight: 600;
  padding: 0.0625rem 0.75rem;
  white-space: nowrap;
}

.state.parked {
  background: var(--bad);
  color: var(--card);
}

.state.failed {
  background: var(--bad-paper);
  color: var(--bad);
}

.state.in-progress {
  background: var(--info-paper);
  color: var(--accent);
}

.state.released {
  background: var(--warning-paper);
  color: var(--warning);
}

.state.completed {
  background: var(--good-paper);
  color: var(--good);
}

code,
pre {
  font-family: var(--mono);
  font-size: 0.875rem;
}

.key {
  overflow-wrap: anywhere;
}

.key .namespace,
.key .digest {
  color: var(--quiet);
}

h1 .key {
  font-size: 1.125rem;
  font-weight: 400;
}

section.value {
  background: var(--paper);
  border: 1px solid var(--line);
  border-radius: 0.375rem;
  margin: 0 0 0.5rem;
  max-height: 28rem;
  overflow: auto;
}

pre {
  margin: 0;
  overflow-wrap: anywhere;
  padding: 0.75rem 1rem;
  unicode-bidi: isolate;
  white-space: pre-wrap;
}

.facts {
  display: grid;
  gap: 0.375rem 1.25rem;
  grid-template-columns: max-content minmax(0, 1fr);
  margin: 0;
}

.facts dt {
  color: var(--quiet);
}

.long {
  overflow-wrap: anywhere;
}

.part {
  background: var(--paper);
  border: 1px solid var(--line);
  border-radius: 0.25rem;
  display: inline-block;
  margin: 0 0.375rem 0.25rem 0;
  max-width: 100%;
  overflow-wrap: anywhere;
  padding: 0 0.5rem;
}

.timeline {
  list-style: none;
  margin: 0 0 0.75rem;
  padding: 0;
}

.timeline li {
  border-left: 2px solid var(--line);
  display: grid;
  padding: 0 0 0.75rem 1rem;
  position: relative;
}

.timeline li::before {
  background: var(--accent);
  border-radius: 50%;
  content: "";
  height: 0.625rem;
  left: calc(-0.3125rem - 1px);
  position: absolute;
  top: 0.4375rem;
  width: 0.625rem;
}

.timeline time {
  font-size: 0.875rem;
  font-variant-numeric: tabular-nums;
}

.fields {
  align-items: end;
  display: flex;
  flex-wrap: wrap;
  gap: 0.75rem 1rem;
}

section .fields {
  margin-top: 0.75rem;
}

.confirm {
  display: grid;
  gap: 1rem;
  max-width: 48rem;
}

.subject {
  display: grid;
  gap: 0.5rem;
  justify-items: start;
}

label {
  display: grid;
  font-size: 0.875rem;
  font-weight: 600;
  gap: 0.25rem;
}

.fields label {
  flex: 1 1 8rem;
  max-width: 100%;
}

.check {
  align-items: start;
  display: flex;
  font-size: 1rem;
  font-weight: 400;
  gap: 0.625rem;
}

.check input {
  flex: none;
  height: 1.25rem;
  margin: 0.125rem 0 0;
  width: 1.25rem;
}

input:not([type="checkbox"]),
select,
textarea {
  background: var(--field);
  border: 1px solid var(--field-line);
  border-radius: 0.375rem;
  color: inherit;
  font: inherit;
  font-weight: 400;
  min-height: 2.5rem;
  padding: 0.4375rem 0.625rem;
  width: 100%;
}

textarea {
  font-family: var(--mono);
  font-size: 0.875rem;
  resize: vertical;
}

[aria-invalid="true"] {
  border-color: var(--bad);
}

::placeholder {
  color: var(--quiet);
  opacity: 1;
}

button,
.button {
  background: var(--card);
  border: 1px solid var(--field-line);
  border-radius: 0.375rem;
  color: var(--ink);
  cursor: pointer;
  display: inline-block;
  font: inherit;
  font-weight: 600;
  line-height: 1.5;
  min-height: 2.5rem;
  padding: 0.4375rem 1rem;
  text-decoration: none;
}

button:hover,
.button:hover {
  border-color: var(--ink);
}

button.primary,
.button.primary {
  background: var(--accent);
  border-color: var(--accent);
  color: var(--on-accent);
}

button.danger {
  background: var(--bad);
  border-color: var(--bad);
  color: var(--card);
}

.button.danger {
  border-color: var(--bad);
  color: var(--bad);
}

.buttons,
.actions,
.pages {
  align-items: center;
  display: flex;
  flex-wrap: wrap;
  gap: 0.75rem;
}

.buttons a {
  padding: 0.4375rem 0.25rem;
}

.actions {
  list-style: none;
  margin: 0;
  padding: 0;
}

.pages {
  margin-top: 1rem;
}

.empty {
  background: var(--card);
  border: 1px dashed var(--line);
  border-radius: 0.625rem;
  color: var(--quiet);
  padding: 2rem 1.25rem;
  text-align: center;
}

@media (max-width: 64rem) {
  .tiles {
    grid-template-columns: repeat(3, 1fr);
  }
}

@media (max-width: 44rem) {
  header,
  main,
  footer {
    padding-left: 1rem;
    padding-right: 1rem;
  }

  header {
    padding-top: 0.75rem;
  }

  header nav {
    order: 3;
    width: 100%;
  }

  header nav a {
    padding: 0.625rem 0.75rem 0.5rem;
  }

  .user {
    max-width: 12rem;
  }

  .user .quiet {
    display: none;
  }

  .tiles {
    grid-template-columns: repeat(2, 1fr);
  }

  .records thead {
    clip-path: inset(50%);
    height: 1px;
    overflow: hidden;
    position: absolute;
    white-space: nowrap;
    width: 1px;
  }

  .records,
  .records tbody,
  .records tr,
  .records td {
    display: block;
  }

  .records tr {
    border-bottom: 1px solid var(--line);
    padding: 0.75rem 1rem;
  }

  .records tr:last-child {
    border-bottom: 0;
  }

  .records td {
    border: 0;
    padding: 0.125rem 0;
  }

  .records td[data-label]::before {
    color: var(--quiet);
    content: attr(data-label) ": ";
    font-size: 0.875rem;
  }

  .facts {
    grid-template-columns: minmax(0, 1fr);
  }

  .facts dd {
    margin-bottom: 0.5rem;
  }

  .actions,
  .actions li,
  .actions .button,
  .verdict > .button {
    text-align: center;
    width: 100%;
  }
}

@media (forced-colors: active) {
  .state,
  .badge {
    border: 1px solid;
  }
}
`
export const live = `const SLOWEST_S = 60;
const main = document.querySelector('[data-live-s]');
const shortestS = Number(main?.dataset.liveS ?? 0);
const pause = document.querySelector('[data-live-pause]');
const status = document.querySelector('[data-live-status]');
let waitS = shortestS;
let timer = 0;
let isPaused = false;
let readAt = performance.now();
function words(ms) {
    const units = [
        ['d', 86_400],
        ['h', 3600],
        ['m', 60],
        ['s', 1],
    ];
    let left = Math.ceil(ms / 1000);
    const parts = [];
    for (const [name, size] of units) {
        const count = Math.floor(left / size);
        left -= count * size;
        if (count > 0 && parts.length < 2)
            parts.push(\`\${count}\${name}\`);
    }
    return parts.join(' ') || '0s';
}
function countDown() {
    const passedMs = performance.now() - readAt;
    for (const part of document.querySelectorAll('[data-countdown-ms]'))
        part.textContent = words(Math.max(0, Number(part.dataset.countdownMs) - passedMs));
}
function say(text) {
    if (status)
        status.textContent = text;
}
function waitNext() {
    window.clearTimeout(timer);
    if (!isPaused && !document.hidden)
        timer = window.setTimeout(() => void read(), waitS * 1000);
}
function isBusy(region) {
    const selection = window.getSelection();
    return (region.contains(document.activeElement) ||
        (selection?.isCollapsed === false && region.contains(selection.anchorNode)));
}
function endingOf({ status, redirected }) {
    if (redirected || status === 401 || status === 403)
        return 'You are signed out. Load the page to sign in again.';
    return status === 404 ? 'This record is gone. Load the page again.' : '';
}
function end(text) {
    isPaused = true;
    if (pause)
        pause.hidden = true;
    say(text);
}
async function read() {
    try {
        const response = await fetch(location.href, { credentials: 'same-origin' });
        const ending = endingOf(response);
        if (ending)
            return end(ending);
        if (!response.ok)
            throw new Error(String(response.status));
        const sentAt = performance.now();
        const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
        let isChanged = false;
        for (const region of document.querySelectorAll('[data-live-region]')) {
            const next = fresh.querySelector(\`[data-live-region="\${region.dataset.liveRegion}"]\`);
            if (!next || isBusy(region))
                continue;
            isChanged ||= plain(region) !== plain(next);
            region.replaceChildren(...next.childNodes);
        }
        document.title = fresh.title;
        readAt = sentAt;
        waitS = isChanged ? shortestS : Math.min(SLOWEST_S, waitS * 1.5);
        say(\`Updated at \${new Date().toLocaleTimeString()}\`);
    }
    catch {
        waitS = Math.min(SLOWEST_S, waitS * 2);
        say(\`Not updated: no answer. Next try in \${Math.round(waitS)} s.\`);
    }
    countDown();
    waitNext();
}
function plain(region) {
    return (region.textContent ?? '').replace(/\\d+(ms|s|m|h|d)\\b/g, '');
}
pause?.addEventListener('click', () => {
    isPaused = !isPaused;
    pause.setAttribute('aria-pressed', String(isPaused));
    say(isPaused ? 'Updates are paused.' : '');
    waitS = shortestS;
    waitNext();
});
document.addEventListener('visibilitychange', () => {
    waitS = shortestS;
    waitNext();
});
if (pause?.parentElement)
    pause.parentElement.hidden = false;
window.setInterval(countDown, 1000);
waitNext();
`
export const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><title>Retryproof</title><rect width="24" height="24" rx="6" fill="#3451b2"/><path d="M17 9.5A6 6 0 1 0 18 13" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/><path d="M17.6 5.5v4.2h-4.2" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/><circle cx="12" cy="13" r="1.6" fill="#fff"/></svg>
`
