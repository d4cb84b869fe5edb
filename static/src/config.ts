/** What the server says on the script's own tag. */
export interface Config {
  /** Null where the server has no streams. */
  stream: string | null;
  components: string;
  /** Where grants are renewed. */
  renewal: string;
  grants: string[];
  cursor: string | null;
  csrf: string;
}

export function configOf(script: HTMLElement): Config {
  const { stream, components, grants, grant, cursor, csrf } = script.dataset;
  return {
    stream: stream && stream !== "off" ? stream : null,
    components: components ?? "",
    renewal: grants ?? "",
    grants: grant ? [grant] : [],
    cursor: cursor || null,
    csrf: csrf ?? "",
  };
}
