// Bytes as people read them: what they are, as text, as JSON, and each of them in hex.

/** The bytes of a base64 text. */
export function decode(base64) {
  return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
}

/** What a cell holds: null, empty, JSON, text or binary. */
export function kindOf(cell) {
  if (cell === null) return "null";
  if (cell.bytes === 0) return "empty";
  const text = textOf(cell);
  if (text === null) return "binary";
  return isJson(text) ? "JSON" : "text";
}

/** The text, if the bytes are one that can be shown; null where they are not UTF-8, or hold control characters. */
export function textOf(cell) {
  let bytes = decode(cell.base64);
  // A cell that was cut may end in the middle of a character.
  for (let end = 0; end < (bytes.length < cell.bytes ? 4 : 1); end += 1) {
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, bytes.length - end));
      return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text) ? null : text;
    } catch {
      // The next end.
    }
  }
  return null;
}

function isJson(text) {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** JSON with line breaks. No value is read and written again, so that every digit stays as it was. */
export function indented(json) {
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  return json.replace(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+|\s+/g, (token) => {
    if (token === "{" || token === "[") { depth += 1; return token + line(); }
    if (token === "}" || token === "]") { depth -= 1; return line() + token; }
    if (token === ",") return token + line();
    if (token === ":") return ": ";
    return /^\s/.test(token) ? "" : token;
  });
}

/** Sixteen bytes a line: place, hex, and the signs of ASCII. */
export function hex(cell) {
  const bytes = decode(cell.base64);
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const digits = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(47);
    const signs = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${digits}  ${signs}`);
  }
  return lines.join("\n");
}
