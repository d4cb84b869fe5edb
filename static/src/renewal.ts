import type { Post, Reply } from "./post";

/** What the server says when it is to make one new grant of those it is given. */
export type Renewal =
  | { kind: "renewed"; grant: string; expires: number }
  /** Never for these: new ones come only with new HTML. */
  | { kind: "refused" }
  /** Not now. */
  | { kind: "unanswered" };

/** Ask for a grant of all that some allow, or of some groups only. */
export type AskRenewal = (
  grants: readonly string[],
  groups?: readonly string[],
) => Promise<Renewal>;

const TIMEOUT = 10_000;

export const asker =
  (post: Post, address: string): AskRenewal =>
  async (grants, groups) => {
    try {
      return read(await post(address, { grants, groups }, TIMEOUT));
    } catch {
      return { kind: "unanswered" };
    }
  };

function read({ status, content }: Reply): Renewal {
  if (status === 403) return { kind: "refused" };
  const { grant, expires } = (content ?? {}) as { grant?: unknown; expires?: unknown };
  const isWhole = status === 200 && typeof grant === "string" && typeof expires === "number";
  return isWhole ? { kind: "renewed", grant, expires } : { kind: "unanswered" };
}
