/** What a warning of a run says, and what to do about it. */
import type { Schema } from "../../api/client";
import { Prose } from "../../ui/prose";

export function WarningText({ warning }: { warning: Schema<"RunWarning"> }) {
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
    </>
  );
}
