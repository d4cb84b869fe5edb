import type { Connection } from "./connection";

/** Close the stream while nobody sees the page, and come back as soon as somebody may. */
export function follow(connection: Connection): void {
  const sleep = () => connection.sleep();
  const wake = () => connection.wake();
  // A page that is kept for the back button would hold its stream for as long.
  addEventListener("pagehide", sleep);
  document.addEventListener("freeze", sleep);
  addEventListener("pageshow", wake);
  document.addEventListener("resume", wake);
  addEventListener("online", wake);
  addEventListener("offline", () => connection.lost());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") wake();
  });
}
