/** What a form offers of a property: how it can be compared, in words, and what that means for a query. */
import type { Schema } from "../../../api/client";
import { wordsOf } from "../../../ui/words";
import { type Comparison, type Elements, newComparison, newElements, type Operator, type Part } from "./model";

export type Property = Schema<"FilterProperty">;
type ValueType = Schema<"ValueType">;

/** A property of an object, or of an element of a collection. `name` is null for elements that are texts. */
export type Field = {
  name: string | null;
  shape: Schema<"PropertyShape">;
  valueType: ValueType;
  operators: Schema<"PropertyOperator">[];
  null: Schema<"NullComparison">;
  counts: number[];
  values: string[];
  /** Whether Graph takes advanced queries of the kind. Without them nothing can be negated. */
  advanced: boolean;
  /** How the elements of a collection can be compared. */
  elements: Field[];
  property?: Property;
};

const SINGLE = { shape: "value", counts: [], elements: [] } as const;

export function fieldsOf(properties: Property[]): Field[] {
  const advanced = properties.some((property) => property.operators.some((one) => one.advanced));
  return properties.map((property) => {
    const { name, shape, valueType, operators, null: isNull, counts, values } = property;
    const elements: Field[] =
      shape === "values"
        ? [{ ...SINGLE, counts: [], elements: [], name: null, valueType: valueType ?? "string", operators, null: isNull, values, advanced }]
        : property.elements.map((one) => ({ ...one, shape: "value", counts: [], elements: [], advanced }));
    return { name, shape, valueType: valueType ?? "string", operators, null: isNull, counts, values, advanced, elements, property };
  });
}

const ALL: Operator[] = ["eq", "ne", "in", "startsWith", "endsWith", "gt", "ge", "lt", "le"];

/** A property that only the tenant knows, such as a directory extension. */
export const ownField = (name: string | null, shape: Field["shape"]): Field => {
  const operators = ALL.map((operator) => ({ operator, advanced: false }));
  const field: Field = { name, shape: "value", valueType: "any", operators, null: "default", counts: [], values: [], advanced: true, elements: [] };
  return shape === "value" ? field : { ...field, shape, elements: [{ ...field, name: null }] };
};

/** `a/b` as «A: b». */
export const propertyText = (name: string) => name.replace(/\/\$count$/, "").split("/").map((part, place) => (place === 0 ? wordsOf(part) : wordsOf(part).toLowerCase())).join(": ");

/** One way to compare a property; `key` tells the ways apart. */
export type Way = { key: string; text: string; advanced: boolean } & Pick<Comparison, "operator" | "not" | "isNull"> & { count?: number; any?: true };

const WORDS: Record<Operator, string> = { eq: "is", ne: "is not", in: "is one of", startsWith: "starts with", endsWith: "ends with", contains: "contains", gt: "is more than", ge: "is at least", lt: "is less than", le: "is at most" };
const TIMES: Partial<Record<Operator, string>> = { gt: "is after", ge: "is at or after", lt: "is before", le: "is at or before" };
const NOT: Record<Operator, string> = { eq: "is not", ne: "is", in: "is none of", startsWith: "does not start with", endsWith: "does not end with", contains: "does not contain", gt: "is not more than", ge: "is not at least", lt: "is not less than", le: "is not at most" };
/** What no other operator says the opposite of. */
const NEGATED: Operator[] = ["in", "startsWith", "endsWith", "contains"];

const keyOf = (way: Pick<Way, "operator" | "not" | "isNull" | "count" | "any">) => [way.not ? "not " : "", way.any ? "any" : way.operator, way.isNull ? " null" : "", way.count ?? ""].join("");
const way = (of: Omit<Way, "key">): Way => ({ ...of, key: keyOf(of) });

function comparisonText(operator: Operator, not: boolean, type: ValueType): string {
  if (not) return NOT[operator];
  return (type === "dateTime" && TIMES[operator]) || WORDS[operator];
}

/** How the field can be compared, the usual ways first. `current` is offered too, also where the form would not. */
export function waysOf(field: Field, current: Comparison | Elements): Way[] {
  const ways: Way[] = [];
  if (field.elements.length > 0) {
    ways.push(way({ operator: "eq", not: false, isNull: false, any: true, text: "has one that", advanced: false }));
    if (field.advanced) ways.push(way({ operator: "eq", not: true, isNull: false, any: true, text: "has none that", advanced: false }));
  }
  if (field.shape === "value") {
    // One of yes and no is no choice.
    const operators = field.operators.filter((one) => one.operator !== "in" || field.valueType !== "boolean");
    for (const { operator, advanced } of operators) ways.push(way({ operator, not: false, isNull: false, text: comparisonText(operator, false, field.valueType), advanced }));
    for (const { operator } of operators.filter((one) => field.advanced && NEGATED.includes(one.operator))) ways.push(way({ operator, not: true, isNull: false, text: NOT[operator], advanced: true }));
    if (field.null !== "no") {
      ways.push(way({ operator: "eq", not: false, isNull: true, text: "has no value", advanced: field.null === "advanced" }));
      if (field.advanced) ways.push(way({ operator: "ne", not: false, isNull: true, text: "has a value", advanced: true }));
    }
  }
  for (const count of field.counts) {
    ways.push(way({ operator: "eq", not: false, isNull: false, count, text: countWords(true, count), advanced: true }));
    ways.push(way({ operator: "ne", not: false, isNull: false, count, text: countWords(false, count), advanced: true }));
  }
  const now = wayOf(current, field);
  // Two ways that say the same, such as `ne` and `not … eq`, are offered once: as the condition has it.
  return ways.some((one) => one.key === now.key) ? ways : [...ways.filter((one) => one.text !== now.text), now];
}

const isCount = (part: Comparison) => part.property?.endsWith("/$count") === true;

/** The way that a part is compared now. */
export function wayOf(part: Comparison | Elements, field: Field): Way {
  if (part.kind === "elements") return way({ operator: "eq", not: part.not, isNull: false, any: true, text: part.not ? "has none that" : "has one that", advanced: false });
  const { operator, not, isNull } = part;
  return way({ operator, not, isNull, ...(isCount(part) && { count: Number(part.values[0]) }), text: wayWords(part, field.valueType), advanced: true });
}

/** The field that a part is about. */
export function fieldOf(part: Comparison | Elements, fields: Field[]): Field | undefined {
  const name = part.property === null ? null : part.property.replace(/\/\$count$/, "").toLowerCase();
  return fields.find((one) => (one.name === null ? null : one.name.toLowerCase()) === name);
}

/** A part that compares the field in the first way that it can be. The part keeps its place. */
export function partFor(field: Field, id: number): Part {
  const blank = { ...newComparison(field.name), id };
  const [first] = waysOf(field, blank);
  return first ? compared(first, field, blank) : blank;
}

/** The part, compared in another way; values stay where they fit. */
export function compared(to: Way, field: Field, part: Comparison | Elements): Comparison | Elements {
  if (to.any) {
    if (part.kind === "elements") return { ...part, not: to.not };
    const [element] = field.elements;
    const first = element ? (partFor(element, newComparison().id) as Comparison) : newComparison(null);
    return { ...newElements(field.name ?? "", first), id: part.id, not: to.not };
  }
  const { operator, not, isNull, count } = to;
  const before = part.kind === "comparison" && !isCount(part) ? part.values.filter((one) => one !== "") : [];
  const base = { ...newComparison(field.name), id: part.id, operator, not, isNull };
  if (count !== undefined) return { ...base, property: `${field.name}/$count`, values: [count] };
  if (isNull) return { ...base, values: [] };
  const values = before.length > 0 ? before : firstValues(field);
  return { ...base, values: operator === "in" ? values : values.slice(0, 1) };
}

function firstValues(field: Field): Scalar[] {
  if (field.valueType === "boolean") return [true];
  return [field.values[0] ?? ""];
}
type Scalar = Comparison["values"][number];

/** How a part is compared, in words; without a type, in those that fit every type of value. */
export function wayWords(part: Comparison, type: ValueType = "string"): string {
  const { operator, not, isNull, values } = part;
  const isEqual = operator === "eq" || operator === "ne" ? (operator === "eq") !== not : undefined;
  if (isNull && isEqual !== undefined) return isEqual ? "has no value" : "has a value";
  if (isCount(part)) return isEqual === undefined ? `has a number that ${comparisonText(operator, not, "integer")} ${values[0]}` : countWords(isEqual, Number(values[0]));
  return comparisonText(operator, not, type);
}

function countWords(isEqual: boolean, count: number): string {
  if (count === 0) return isEqual ? "has none" : "has at least one";
  return isEqual ? `has exactly ${count}` : `has another number than ${count}`;
}
