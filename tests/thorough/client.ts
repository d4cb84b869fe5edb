// A client in TypeScript, by types that are generated from the API's document: it
// publishes an event that it hears, reads a user's status, and prints what it got.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Frame = components["schemas"]["Frame"];
type OwnEvent = components["schemas"]["OwnEvent"];

declare const process: { argv: string[] };

const [baseUrl = "", key = ""] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${key}` };
const client = createClient<paths>({ baseUrl, headers });

function describe(frame: Frame): string {
  switch (frame.type) {
    case "stream-open":
      return `open ${frame.groups.join()}`;
    case "keep-alive":
      return frame.id === undefined ? "alive" : "complete";
    case "stream-reset":
      return `reset ${frame.groups.join()} over ${frame.spread ?? 0}`;
    case "stream-error": {
      // @ts-expect-error: an error has a condition
      frame.reason;
      return `error ${frame.condition}`;
    }
    case "stream-close": {
      // @ts-expect-error: there is no such reason
      if (frame.reason === "tired") return "";
      return `close ${frame.reason} ${frame.retry.toFixed()}`;
    }
    case "component.data_changed":
      return `changed ${JSON.stringify(frame.payload.data)} ${frame.payload.update}`;
    case "component.created":
      return `created for ${frame.payload.target_group ?? frame.group}`;
    case "component.removed":
      return `removed ${frame.payload.key?.toUpperCase()}`;
    case "notify":
      return `notify ${frame.payload.event_name}`;
    case "presence.join":
    case "presence.leave":
      return `${frame.type} ${frame.payload.user}`;
    case "presence.online":
    case "presence.offline":
      return `${frame.type} ${frame.payload.user} ${frame.payload.last_seen}`;
    case "presence.count":
      return `${frame.payload.members.toFixed()} members`;
    default: {
      const rest: never = frame; // all are handled
      return rest;
    }
  }
}

// Whoever has types of their own narrows by the type alone, too.
type Ready = OwnEvent & { type: "report.ready"; payload: { pages: number } };
export const pages = (frame: Frame | Ready): number =>
  frame.type === "report.ready" ? frame.payload.pages : 0;

async function* frames(address: string): AsyncGenerator<Frame> {
  const response = await fetch(`${baseUrl}${address}`, { headers });
  let text = "";
  for await (const bytes of response.body!.pipeThrough(new TextDecoderStream())) {
    text += bytes;
    const events = text.split("\n\n");
    text = events.pop()!;
    for (const event of events) {
      const data = event.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield JSON.parse(data.slice(6));
    }
  }
}

const address = "/api/v1/groups/{group}/data-changed";
const heard: string[] = [];
for await (const frame of frames("/sse/groups/news.updates")) {
  heard.push(describe(frame));
  if (frame.type === "keep-alive") {
    const { data, error } = await client.POST(address, {
      params: { path: { group: "news.updates" } },
      body: { data: { headline: "Hello" } },
    });
    if (!data) throw new Error(error.detail);
    heard.push(`duplicate ${data.duplicate}`);
  }
  if (frame.type === "component.data_changed") break;
}

const status = await client.GET("/api/v1/users/{user}/status", {
  params: { path: { user: "7" } },
});
heard.push(`online ${status.data?.online}`);

const refused = await client.POST(address, {
  params: { path: { group: "news.updates" } },
  // @ts-expect-error: data is an object
  body: { data: 7 },
});
heard.push(`refused ${refused.error?.errors?.map((fault) => fault.pointer).join()}`);

console.log(JSON.stringify(heard));
