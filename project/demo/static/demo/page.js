// Forms that don't leave the page, times in the visitor's own zone, where the focus goes,
// and a word about calls that failed. What is live isn't in here.
for (const form of document.querySelectorAll("form.quiet")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    const body = new FormData(form)
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } })
    if (answer.ok) form.reset()
  })
}

// For x-text on a <time>: the time of day, and the date if that isn't today's.
window.moment = (time) => {
  const at = new Date(time.dateTime)
  const isToday = at.toDateString() === new Date().toDateString()
  const date = isToday ? {} : { month: "short", day: "numeric" }
  return at.toLocaleString("en", { ...date, hour: "2-digit", minute: "2-digit", hour12: false })
}

// A row is about to go: who has no pointer goes on at the next one, or at the last, or
// where one is added.
window.leaving = (row, click) => {
  if (click.detail) return
  const next = row.nextElementSibling ?? row.previousElementSibling
  ;(next?.querySelector(".discard") ?? document.getElementById("new-item")).focus()
}

const UNASKED = ["_refresh", "count", "look"]
const notice = document.createElement("p")
notice.className = "notice"
notice.role = "alert"
document.addEventListener("sse:call-failed", ({ detail }) => {
  if (UNASKED.includes(detail.method)) return
  notice.textContent = `That did not work. ${detail.detail}`
  document.body.append(notice)
  setTimeout(() => notice.remove(), 5000)
})
