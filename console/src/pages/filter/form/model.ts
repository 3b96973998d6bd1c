/** A condition as the form has it, and the tree that the API takes. The two say the same: nothing is lost either way. */
import type { Schema } from "../../../api/client";

export type Where = Schema<"Where">;
export type Operator = Schema<"ConditionOperator">;
export type Scalar = string | number | boolean;

/** `property` is "" until one is chosen, and null for the elements of a collection of texts, which have no name. */
export type Comparison = { kind: "comparison"; id: number; not: boolean; property: string | null; operator: Operator; isNull: boolean; values: Scalar[] };
/** At least one element of a collection fulfils `of`. */
export type Elements = { kind: "elements"; id: number; not: boolean; property: string; of: Group };
export type Group = { kind: "group"; id: number; not: boolean; joined: "all" | "any"; parts: Part[] };
export type Part = Comparison | Elements | Group;

let last = 0;
const newId = () => (last += 1);

export const emptyGroup = (parts: Part[] = []): Group => ({ kind: "group", id: newId(), not: false, joined: "all", parts });
export const newComparison = (property: string | null = ""): Comparison => ({ kind: "comparison", id: newId(), not: false, property, operator: "eq", isNull: false, values: [""] });
export const newElements = (property: string, first: Comparison): Elements => ({ kind: "elements", id: newId(), not: false, property, of: emptyGroup([first]) });

type Tree = { all?: unknown; any?: unknown; not?: unknown; property?: string; operator?: Operator; value?: unknown };

/** The form of a tree. The outermost part is always a group, so that something can be added. */
export function formOf(where: Where): Group {
  const part = partOf(where as Tree);
  return part.kind === "group" ? part : emptyGroup([part]);
}

function partOf(tree: Tree): Part {
  if (tree.not !== undefined) {
    const inner = partOf(tree.not as Tree);
    return inner.not ? { ...emptyGroup([inner]), not: true } : { ...inner, not: true };
  }
  if (tree.property !== undefined && tree.any !== undefined) {
    return { kind: "elements", id: newId(), not: false, property: tree.property, of: formOf(tree.any as Where) };
  }
  if (Array.isArray(tree.all)) return emptyGroup((tree.all as Tree[]).map(partOf));
  if (Array.isArray(tree.any)) return { ...emptyGroup((tree.any as Tree[]).map(partOf)), joined: "any" };
  const values = (Array.isArray(tree.value) ? tree.value : [tree.value]) as (Scalar | null)[];
  return {
    ...newComparison(tree.property ?? null),
    operator: tree.operator ?? "eq",
    isNull: values[0] === null,
    values: values.flatMap((value) => (value === null ? [] : [value])),
  };
}

/** A tree in one spelling, to compare it with another: fields in one order, no group around a single condition. */
export const spelled = (where: Where) => JSON.stringify(treeOf(formOf(where)).where);

/** `places` says which part is at a place of the tree, so that an error is shown beside it. */
export type Written = { where: Where | null; places: Map<string, number>; incomplete: Map<number, string> };

export function treeOf(group: Group): Written {
  const written: Written = { where: null, places: new Map(), incomplete: new Map() };
  if (group.parts.length > 0) written.where = write(group, "", written) as Where;
  return written;
}

function write(part: Part, at: string, written: Written): Tree {
  written.places.set(at, part.id);
  if (part.not) return { not: writeInner(part, `${at}/not`, written) };
  return writeInner(part, at, written);
}

function writeInner(part: Part, at: string, written: Written): Tree {
  written.places.set(at, part.id);
  switch (part.kind) {
    case "comparison": {
      const missing = missingIn(part);
      if (missing) written.incomplete.set(part.id, missing);
      const value = part.isNull ? null : part.operator === "in" ? part.values.filter((one) => one !== "") : part.values[0];
      return { ...(part.property !== null && { property: part.property }), operator: part.operator, value };
    }
    case "elements":
      return { property: part.property, any: write(part.of, `${at}/any`, written) };
    case "group": {
      const [only] = part.parts;
      if (!only) written.incomplete.set(part.id, "Add a condition, or remove this group.");
      if (only && part.parts.length === 1) return write(only, at, written);
      return { [part.joined]: part.parts.map((one, place) => write(one, `${at}/${part.joined}/${place}`, written)) };
    }
  }
}

function missingIn({ property, isNull, values }: Comparison): string | undefined {
  if (property === "") return "Choose a property.";
  if (!isNull && !values.some((one) => one !== "")) return "Give a value.";
  return undefined;
}

/** The part that an error of the service is about: the innermost around its place. */
export function partAt(pointer: string, places: Map<string, number>): number | undefined {
  for (let at = pointer; ; at = at.slice(0, at.lastIndexOf("/"))) {
    const part = places.get(at);
    if (part !== undefined || at === "") return part;
  }
}
