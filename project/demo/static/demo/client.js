// A page with the transport client and nothing else of ours.
import { connect } from "/sse/static/sse-client.js"

const EVENTS = 50

const status = document.getElementById("status")
const log = document.getElementById("log")
const client = connect()

client.onStatus(({ state, transport }) => {
  status.dataset.state = state
  status.firstElementChild.textContent = transport ? `${state} (${transport})` : state
})

function note(type, text, id = "") {
  const item = document.createElement("li")
  const name = document.createElement("b")
  name.textContent = type
  item.append(name, " ", text)
  item.dataset.id = id
  log.prepend(item)
  while (log.children.length > EVENTS) log.lastElementChild.remove()
}

/** Listen to a group until what is returned is called. */
function listen(box) {
  const group = box.value
  const said = box.parentElement.querySelector("small")
  said.textContent = ""
  const stop = [
    client.on(group, "*", ({ type, id, payload }) => note(type, JSON.stringify(payload), id)),
    client.on(group, "reset", () => note("reset", `${group}: fetch its state again`)),
    client.on(group, "denied", () => {
      said.textContent = "refused"
    }),
  ]
  return () => stop.forEach((each) => each())
}

for (const box of document.querySelectorAll("input[type=checkbox]")) {
  let stop = box.checked ? listen(box) : null
  box.onchange = () => {
    stop?.()
    stop = box.checked ? listen(box) : null
  }
}
