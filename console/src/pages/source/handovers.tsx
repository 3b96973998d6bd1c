import type { Schema } from "../../api/client";
export function Handovers(_: { connection: Schema<"ConnectionResponse"> }) { return null; }
