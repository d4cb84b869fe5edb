// The Copy button; where a page may not write to the clipboard, it selects what to copy.
const copy = document.getElementById("copy")
copy.addEventListener("click", async () => {
  const text = document.getElementById("curl")
  try {
    await navigator.clipboard.writeText(text.textContent)
    copy.textContent = "Copied"
  } catch {
    getSelection().selectAllChildren(text)
    copy.textContent = "Selected"
  }
  setTimeout(() => (copy.textContent = "Copy"), 1500)
})
