/** An error of a condition, under its place in the text. */
import type { Schema } from "../../api/client";

type Props = { text: string; error: Schema<"FilterError">; onFix: (text: string) => void };

export function MarkedText({ text, error, onFix }: Props) {
  // The service counts characters, not UTF-16 units.
  const characters = Array.from(text);
  const { offset, length = 0, suggestion } = error;
  const cut = (from: number, to?: number) => characters.slice(from, to).join("");
  return (
    <div className="stack tight" role="status">
      {offset !== undefined && text.trim() !== "" && (
        <div className="marked code">
          {cut(0, offset)}
          <mark>{cut(offset, offset + Math.max(1, length)) || "␣"}</mark>
          {cut(offset + Math.max(1, length))}
        </div>
      )}
      <p>{error.detail}</p>
      {offset !== undefined && suggestion !== undefined && (
        <div>
          <button type="button" className="button" onClick={() => onFix(cut(0, offset) + suggestion + cut(offset + length))}>
            Use <code>{suggestion}</code>
          </button>
        </div>
      )}
    </div>
  );
}
