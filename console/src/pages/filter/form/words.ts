/** A condition tree in words, for lists. */
import { propertyText, wayWords } from "./choices";
import { formOf, type Part, type Where } from "./model";

export const whereText = (where: Where) => partText(formOf(where), true);

function partText(part: Part, isOutermost = false): string {
  switch (part.kind) {
    case "comparison": {
      const words = wayWords(part);
      const values = part.property?.endsWith("/$count") || part.isNull ? [] : part.values.map((value) => (typeof value === "boolean" ? (value ? "yes" : "no") : String(value)));
      return [part.property && propertyText(part.property), words, values.join(", ")].filter(Boolean).join(" ");
    }
    case "elements":
      return `${propertyText(part.property)} ${part.not ? "has none that" : "has one that"} ${partText(part.of, true)}`;
    case "group": {
      const [only] = part.parts;
      const text = part.parts.length === 1 && only ? partText(only, isOutermost) : part.parts.map((one) => partText(one)).join(part.joined === "all" ? " and " : " or ");
      if (part.not) return `not (${text})`;
      return isOutermost || part.parts.length === 1 ? text : `(${text})`;
    }
  }
}
