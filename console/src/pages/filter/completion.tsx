/** What could come next in a condition: properties, their operators, their known values. */
import type { Schema } from "../../api/client";
import type { Kind } from "../../ui/kinds";
import { useProperties } from "./properties";

type Property = Schema<"FilterProperty">;
const MOST = 8;
/** The operators that are written between a property and a value; the others are functions. */
const BETWEEN = ["eq", "ne", "gt", "ge", "lt", "le", "in"];

export function Completion({ kind, text, caret, onChange }: { kind: Kind; text: string; caret: number; onChange: (text: string) => void }) {
  const properties = useProperties(kind);
  const before = text.slice(0, caret);
  const { word, words } = suggestions(before, properties.data ?? []);
  if (words.length === 0) return null;
  return (
    <span className="row" role="group" aria-label="Suggestions">
      {words.map((suggestion) => (
        <button key={suggestion} type="button" className="lozenge example" onClick={() => onChange(`${before.slice(0, before.length - word.length)}${suggestion} ${text.slice(caret).trimStart()}`)}>
          <code>{suggestion}</code>
        </button>
      ))}
    </span>
  );
}

/** The word that is being written, and what it could become. Nothing is suggested within a quoted text. */
export function suggestions(before: string, properties: Property[]): { word: string; words: string[] } {
  const nothing = { word: "", words: [] };
  if ((before.match(/'/g) ?? []).length % 2 === 1) return nothing;
  const word = /[\w/]*$/.exec(before)?.[0] ?? "";
  const tokens = before.slice(0, before.length - word.length).split(/[\s(),]+/).filter(Boolean);
  const named = (name: string | undefined) => properties.find((one) => one.name.toLowerCase() === name?.toLowerCase());
  const [last, last2] = [tokens.at(-1), tokens.at(-2)];
  const property = named(last);
  if (property) return match(word, property.operators.map((one) => one.operator as string).filter((one) => BETWEEN.includes(one)));
  const compared = BETWEEN.includes(last ?? "") ? named(last2) : undefined;
  if (compared) return match(word, valuesOf(compared));
  // After a value comes what joins conditions; a property that is written already needs no help.
  if (word === "" || named(word)) return nothing;
  return match(word, ["and", "or", "not", ...properties.map((one) => one.name)]);
}

function valuesOf(property: Property): string[] {
  if (property.valueType === "boolean") return ["true", "false"];
  return property.values.map((value) => `'${value}'`);
}

function match(word: string, all: string[]): { word: string; words: string[] } {
  const words = all.filter((one) => one.toLowerCase().startsWith(word.toLowerCase()) && one !== word);
  return { word, words: words.slice(0, MOST) };
}
