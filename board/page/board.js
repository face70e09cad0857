// Shows what the board tells. Data becomes text and class names from lists of this file, never markup.

const SVG = "http://www.w3.org/2000/svg";
const SIGNS = {
  steady: "✓", passing: "✓", success: "✓",
  unwell: "✗", critical: "✗", failure: "✗",
  broken: "!", warning: "!", aborted: "!",
  down: "–", looking: "…", building: "…", none: "–",
};
const STATES = {
  looking: "looking", down: "not up", unwell: "not well", broken: "a fault is open", steady: "steady",
};
const COLORS = ["blue", "green"];
const KINDS = ["blue", "green", "other", "failed", "waiting"]; // of what a second's requests got, from below
const WIDTH = 4; // of a second in the picture
const SHOWN = 120; // seconds
const SILENCE = 6000; // milliseconds without a word: then the connection is lost, whatever the browser says
const OLD = 30; // seconds: a look that is older is told

const at = (id) => document.getElementById(id);
let ahead = 0; // seconds by which the board's clock is ahead of this one
const now = () => Date.now() / 1000 + ahead;

function element(name, classes, ...inside) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  made.append(...inside.filter((one) => one !== null));
  return made;
}

function sign(state, words) {
  const known = state in SIGNS ? state : "none";
  const made = element("span", `sign ${known}`, words);
  made.dataset.sign = SIGNS[known];
  return made;
}

// --- moments and spans, told anew each second ---

function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const clock = (moment) => new Date((moment - ahead) * 1000).toLocaleTimeString("en-GB");

function ago(moment, before, after) {
  const made = element("time", "");
  Object.assign(made.dataset, { moment, before, after });
  return tell(made);
}

function tell(made) {
  const { moment, before, after } = made.dataset;
  const told = `${before}${span(Math.abs(now() - moment))}${after}`;
  if (made.textContent !== told) made.textContent = told;
  return made;
}

// --- drawing a part only when it is another one, so that what somebody reads or marks stays ---

const drawn = new Map();

function draw(id, data, make) {
  const said = JSON.stringify(data);
  if (drawn.get(id) === said) return;
  drawn.set(id, said);
  at(id).replaceChildren(...make(data));
}

const chip = (color, state, words) =>
  element("span", `chip ${COLORS.includes(color) ? color : ""} ${state}`, words);

const nothing = (words) => [element("li", "muted", words)];

function service({ name, live, idle }, known) {
  return element("li", "", element("span", "name", name),
    live ? chip(live, "live", `${live} live`) : element("span", "muted", known ? "no color is live" : "not known"),
    idle ? chip(idle, "idle", `${idle} idle`) : null);
}

function container({ name, state, image, color, live }) {
  const runs = state === "running";
  const missed = color === null || live; // the idle color need not run
  return element("li", "container",
    sign(runs ? "passing" : missed ? "critical" : "none", state), element("span", "name", name),
    color ? chip(color, live ? "live" : runs ? "idle" : "stopped", live ? `${color} live` : `${color} idle`) : null,
    element("span", "muted", image));
}

function node({ name, address, master, agent, unwell, containers }) {
  const state = unwell.length ? "critical" : agent ?? "none";
  const words = { passing: "answers", warning: "leaving", critical: "does not answer" }[agent] ?? "not known";
  return element("li", `node ${state}`, element("h3", "", name),
    element("p", "muted", `${address}${master ? ", master" : ""}`),
    sign(state, unwell.length ? unwell.join("; ") : words),
    element("ul", "", ...containers.map(container)));
}

const check = ({ node: where, name, status, output }) => element("li", "",
  sign(status, status), element("span", "name", name), element("span", "muted", `${where}. ${output}`));

const fault = ({ name, target, on, at: begun, deadline }) => element("li", "",
  sign("broken", name), element("span", "name", `on ${target}`), element("span", "muted", on),
  ago(begun, "since ", ""), element("span", "muted", `ends by itself at ${clock(deadline)}`));

function build({ job, number, result, begin, end }) {
  const state = (result ?? "building").toLowerCase();
  return element("li", "", sign(state, state), element("span", "name", `${job} ${number}`),
    result ? element("span", "muted", `took ${span(end - begin)},`) : null,
    ago(result ? end : begin, result ? "" : "since ", result ? " ago" : ""));
}

function step(told) {
  if (!told) return [element("p", "muted", "Which step is next cannot be told now.")];
  if (told.done) return [element("p", "", sign("passing", `All ${told.of} steps are done.`))];
  return [
    element("p", "", element("span", "name", `Step ${told.number} of ${told.of}: ${told.title}`)),
    told.check
      ? element("p", "", sign("warning", told.check), " ", ago(told.since, "for ", ""))
      : element("p", "", sign("passing", "nothing is missing: it may be checked")),
  ];
}

// --- the lab ---

let state = "";

function lab(told) {
  at("lab-name").textContent = told.lab;
  document.title = `${STATES[told.state]}: lab ${told.lab}`;
  const word = at("state-word");
  word.textContent = STATES[told.state];
  word.className = `badge ${told.state}`;
  word.dataset.sign = SIGNS[told.state];
  at("state-why").textContent = told.why;
  draw("state-since", told.since, (moment) => [ago(moment, "for ", "")]);
  if (state && state !== told.state) at("announced").textContent = `The lab is ${STATES[told.state]}.`;
  state = told.state;
  const silent = (who) => told.asked ? `${who} does not answer: ${told.silent[who]}` : "Not known: the lab is not asked.";
  const list = (id, data, make, empty) =>
    draw(id, [data, empty], () => data.length ? data.map(make) : nothing(empty));
  const known = (who) => told.asked && !told.silent[who];
  draw("services", [told.services, known("Consul")], ([all, is]) => all.map((one) => service(one, is)));
  draw("nodes", told.nodes, (all) => all.map(node));
  list("checks", told.checks, check, !known("Consul") ? silent("Consul")
    : "Consul checks no service: the service's playbook brings a check along.");
  list("builds", told.builds, build, !known("Jenkins") ? silent("Jenkins") : "Jenkins has built nothing yet.");
  list("faults", told.faults, fault, "None.");
  draw("step", told.step, step);
  looked = told.looked;
}

let looked = { around: null, inside: null };

function age() {
  const old = Object.values(looked).filter((moment) => moment && now() - moment > OLD);
  return old.length ? `The lab's last answer is ${span(now() - Math.min(...old))} old.` : "";
}

// --- the picture of the requests ---

let origin = null; // the second at which x is 0
const bars = new Map(); // second -> what of it is drawn

function traffic(told) {
  ahead = told.now - Date.now() / 1000;
  const first = told.seconds[0][0];
  origin ??= first;
  at("bars").style.transform = `translateX(${(origin - first) * WIDTH}px)`;
  for (const [second, bar] of bars) {
    if (second < first - 1) {
      bar.group.remove();
      bars.delete(second);
    }
  }
  for (const [second, ...counts] of told.seconds) bar(second, counts, told.rate);
  at("rate").textContent = `${told.rate} requests a second`;
  summary(told.seconds.slice(-10));
}

function bar(second, counts, rate) {
  const said = counts.join();
  const before = bars.get(second);
  if (before?.said === said) return;
  before?.group.remove();
  const group = document.createElementNS(SVG, "g");
  let below = 0;
  counts.forEach((count, kind) => {
    if (!count) return;
    const rect = document.createElementNS(SVG, "rect");
    const height = (count / (rate + 1)) * 100;
    rect.setAttribute("class", KINDS[kind]);
    rect.setAttribute("x", (second - origin) * WIDTH);
    rect.setAttribute("y", 100 - below - height);
    rect.setAttribute("width", WIDTH * 0.85);
    rect.setAttribute("height", height);
    group.append(rect);
    below += height;
  });
  at("bars").append(group);
  bars.set(second, { group, said });
}

function summary(last) {
  const sums = KINDS.map((_, kind) => last.reduce((sum, second) => sum + second[kind + 1], 0));
  const [blue, green, other, failed, waiting] = sums;
  const told = blue + green + other + failed + waiting === 0
    ? "No requests are sent: the lab is not up."
    : `The last 10 seconds: ${blue} by blue, ${green} by green, ${failed} failed, ${waiting} without an answer yet.`;
  at("summary").textContent = told;
  at("picture").classList.toggle("failing", failed > 0);
}

// --- the room ---

function attendee(row) {
  const stepped = row.step === null ? "step not known" : row.done ? `all ${row.of} done` : `step ${row.step} of ${row.of}`;
  const made = element("tr", row.silent ? "silent" : "",
    element("th", "", row.name),
    element("td", "", row.done ? sign("passing", stepped) : stepped),
    element("td", "", row.done ? "" : row.check || "nothing is missing"),
    element("td", "",
      ago(row.done ? row.step_since : row.since, row.done ? "done for " : "", ""),
      row.silent ? element("p", "silence", ago(row.silent, "– silent for ", "")) : null),
    element("td", "", ...COLORS.filter((color) => row.colors[color]).map((color) =>
      chip(color, row.colors[color], `${color} ${row.colors[color]}`))));
  made.firstElementChild.scope = "row";
  // Said again, because where it is narrow the rows are shown as cards.
  made.setAttribute("role", "row");
  [...made.children].forEach((cell, place) => cell.setAttribute("role", place ? "cell" : "rowheader"));
  return made;
}

function room(rows) {
  at("room-none").hidden = rows.length > 0;
  at("room-table").hidden = rows.length === 0;
  draw("room", rows, (all) => all.map(attendee));
}

// --- the connection ---

let heard = Date.now();
let lost = "";

function say(words) {
  if (words === lost) return;
  lost = words;
  at("lost").hidden = !words;
  at("lost").textContent = words;
  at("announced").textContent = words || "The board answers again.";
  document.body.classList.toggle("stale", Boolean(words));
}

function connect() {
  const events = new EventSource("/events");
  for (const [kind, show] of Object.entries({ lab, traffic, room })) {
    events.addEventListener(kind, ({ data }) => {
      heard = Date.now();
      say("");
      show(JSON.parse(data));
    });
  }
  events.addEventListener("end", () => {
    events.close();
    say("The board has ended. What is shown is what was seen last; the page goes on when it is there again.");
    setTimeout(connect, 3000);
  });
  events.addEventListener("error", () => {
    if (!lost) away();
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  });
}

function away() {
  say(`The board does not answer since ${new Date(heard).toLocaleTimeString("en-GB")}. What is shown is older than that.`);
}

setInterval(() => {
  document.querySelectorAll("time[data-moment]").forEach(tell);
  if (!lost && Date.now() - heard > SILENCE) away();
  const old = age();
  if (at("looked").textContent !== old) at("looked").textContent = old;
}, 1000);

connect();
