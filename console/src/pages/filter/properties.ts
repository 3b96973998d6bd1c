/** The properties that a condition on one kind of object can use. */
import { all, answer, api } from "../../api/client";
import { useQuery } from "../../api/use";
import type { Kind } from "../../ui/kinds";

export const useProperties = (kind: Kind) =>
  useQuery(`properties ${kind}`, (signal) => all((cursor) => answer(api.GET("/v1/filter-properties", { params: { query: { objectType: kind, cursor } }, signal }))));
