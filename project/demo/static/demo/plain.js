// The page's whole client: the browser's EventSource, and nothing of ours.
const el = (id) => document.getElementById(id)

const EARLIER = 4
const FRAMES = 50

function show(state) {
  el("status").dataset.state = state
  el("status").firstElementChild.textContent = state
}

function headline(text) {
  if (text === el("headline").textContent) return
  const item = document.createElement("li")
  item.textContent = el("headline").textContent
  el("earlier").prepend(item)
  while (el("earlier").children.length > EARLIER) el("earlier").lastElementChild.remove()
  el("headline").textContent = text
  el("headline").classList.remove("fresh")
  requestAnimationFrame(() => el("headline").classList.add("fresh"))
}

function log(event) {
  const item = document.createElement("li")
  const type = document.createElement("b")
  type.textContent = event.type
  item.append(type, " ", event.data)
  item.dataset.id = event.lastEventId
  el("log").prepend(item)
  while (el("log").children.length > FRAMES) el("log").lastElementChild.remove()
}

const stream = new EventSource(document.body.dataset.stream)

let opened = false
let changes = 0

const heard = {
  "stream-open": () => {
    show("connected")
    // A stream without a cursor begins now, and the page is a moment older.
    if (!opened) refresh()
    opened = true
  },
  "keep-alive": () => {},
  "component.data_changed": ({ payload }) => {
    changes += 1
    if (typeof payload.data.headline === "string") headline(payload.data.headline)
  },
  notify: () => {},
  // What was missed can't be known any more, so the page is read again.
  "stream-reset": () => refresh(),
  "stream-error": () => {
    stream.close()
    show("closed")
  },
  "stream-close": () => show("connecting"),
}
for (const [type, act] of Object.entries(heard)) {
  stream.addEventListener(type, (event) => {
    log(event)
    act(JSON.parse(event.data))
  })
}
stream.onerror = () => show(stream.readyState === EventSource.CLOSED ? "closed" : "connecting")

async function refresh() {
  const before = changes
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html")
  if (changes !== before) return // what was heard since is newer
  for (const id of ["headline", "earlier"]) el(id).replaceWith(page.getElementById(id))
}

el("form").addEventListener("submit", async (event) => {
  event.preventDefault()
  const form = event.target
  const body = new FormData(form)
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } })
  if (answer.ok) form.reset()
})
