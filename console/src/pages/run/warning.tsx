/** What a warning of a run says, what to do about it, and where. */
import type { Schema } from "../../api/client";
import { Prose } from "../../ui/prose";
import { PlaceLink, type Where } from "../places";

export function WarningText({ warning, where }: { warning: Schema<"RunWarning">; where: Where }) {
  return (
    <>
      <p>
        <Prose text={warning.detail} /> <code className="subtle">{warning.code}</code>
      </p>
      {warning.advice && (
        <p>
          <Prose text={warning.advice} />
        </p>
      )}
      <PlaceLink code={warning.code} where={where} />
    </>
  );
}
