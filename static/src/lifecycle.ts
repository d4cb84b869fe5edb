import type { Connection } from "./connection";

/** Close the stream while nobody sees the page, and come back as soon as somebody may. */
export function follow(connection: Connection, signal?: AbortSignal): void {
  const sleep = () => connection.sleep();
  const wake = () => connection.wake();
  const options = { signal };
  // A page that is kept for the back button would hold its stream for as long.
  addEventListener("pagehide", sleep, options);
  document.addEventListener("freeze", sleep, options);
  addEventListener("pageshow", wake, options);
  document.addEventListener("resume", wake, options);
  addEventListener("online", wake, options);
  addEventListener("offline", () => connection.lost(), options);
  const seen = () => {
    if (document.visibilityState === "visible") wake();
  };
  document.addEventListener("visibilitychange", seen, options);
}
