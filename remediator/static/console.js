// The console works without this file; with it, pages follow the journal and countdowns count.
const countdowns = () => {
  for (const time of document.querySelectorAll("time[data-countdown]")) {
    const left = Math.round((new Date(time.dateTime) - Date.now()) / 1000);
    time.textContent = left > 0 ? `in ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "now";
  }
};
const refresh = async () => {
  const response = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  const live = document.getElementById("live");
  // What a person is reading or writing stays as it is.
  const open = [...live.querySelectorAll("details[open]")].map((details) => details.id);
  const note = live.querySelector("input[name=text]");
  const written = note?.value;
  const writing = note !== null && note === document.activeElement;
  if (writing && written) return;
  live.replaceWith(fresh.getElementById("live"));
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  countdowns();
};
let waiting = false;
const changed = () => {
  if (waiting) return;
  waiting = true;
  setTimeout(() => { waiting = false; refresh(); }, 300);
};
const follow = () => {
  const events = new EventSource("/events");
  events.addEventListener("changed", changed);
  // A browser gives up for good when it is answered that too many follow already.
  events.addEventListener("error", () => {
    if (events.readyState !== EventSource.CLOSED) return;
    changed();
    setTimeout(follow, 30000);
  });
};
follow();
setInterval(countdowns, 1000);
countdowns();
