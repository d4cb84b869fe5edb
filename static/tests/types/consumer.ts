// What an application writes against the types that are served beside sse-client.js.

import { type StreamClient, type StreamEvent, connect } from "../../dist/sse-client.js";

const client: StreamClient = connect({
  url: "https://events.example/sse/",
  lastEventId: "7f3a9c21:1763799845123456",
  getGrant: async () => "grant",
});
const stop: () => void = client.on("shop.order.*", "component.data_changed", (event: StreamEvent) => {
  const title: unknown = event.payload.data;
  console.log(event.group, event.id, event.sender?.length, title);
});
client.on("shop.order.*", "reset", () => undefined);
client.onStatus(({ online, transport }) => console.log(online, transport === "websocket"));
stop();
client.close();

// @ts-expect-error  A group has a name.
client.on(7, "notify", () => undefined);
// @ts-expect-error  The status isn't the application's to change.
client.status.online = true;
// @ts-expect-error  There is no such option.
connect({ adress: "/sse/" });
