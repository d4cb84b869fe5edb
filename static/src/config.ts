/** What the server says on the script's own tag. */
export interface Config {
  /** Null where the server has no streams. */
  stream: string | null;
  socket: string;
  components: string;
  /** Where grants are renewed. */
  renewal: string;
  grants: string[];
  cursor: string | null;
  csrf: string;
}

export function configOf(script: HTMLElement): Config {
  const { stream, socket, components, grants, grant, cursor, csrf } = script.dataset;
  return {
    stream: stream && stream !== "off" ? stream : null,
    socket: socket ?? "",
    components: components ?? "",
    renewal: grants ?? "",
    grants: grant ? [grant] : [],
    cursor: cursor || null,
    csrf: csrf ?? "",
  };
}
