/** What the server says on the script's own tag. */
export interface Config {
  /** Null where the server has no streams. */
  stream: string | null;
  components: string;
  grants: string[];
  cursor: string | null;
  csrf: string;
}

export function configOf(script: HTMLElement): Config {
  const { stream, components, grant, cursor, csrf } = script.dataset;
  return {
    stream: stream && stream !== "off" ? stream : null,
    components: components ?? "",
    grants: grant ? [grant] : [],
    cursor: cursor || null,
    csrf: csrf ?? "",
  };
}
