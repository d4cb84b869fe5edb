// Forms that don't leave the page, and the Copy button. What is live isn't in here.
for (const form of document.querySelectorAll("form.quiet")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    const body = new FormData(form)
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } })
    if (answer.ok) form.reset()
  })
}

const copy = document.getElementById("copy")
copy.addEventListener("click", async () => {
  await navigator.clipboard.writeText(document.getElementById("curl").textContent)
  copy.textContent = "Copied"
  setTimeout(() => (copy.textContent = "Copy"), 1500)
})
