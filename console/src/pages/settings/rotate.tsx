/** A new secret for the signatures of a webhook. For a while, deliveries are signed with the one before too. */
import { useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { Select, TextField } from "../../ui/form";
import { FormDialog } from "../../ui/form-dialog";
import { Copyable } from "../../ui/parts";

const HOURS: [string, string][] = [
  ["0", "No: it ends at once"],
  ["1", "For an hour"],
  ["24", "For a day"],
  ["168", "For a week"],
];

export function RotateSecret({ webhook, onRotated }: { webhook: Schema<"WebhookResponse">; onRotated: () => void }) {
  const [secret, setSecret] = useState("");
  const [hours, setHours] = useState("24");
  const rotate = async () => {
    const body = { secret, previousValidHours: Number(hours) };
    await answer(api.POST("/v1/webhooks/{id}/rotate-secret", { params: { path: { id: webhook.id } }, body }));
    setSecret("");
    onRotated();
  };
  const intro = (
    <>
      <p>Copy the secret into the receiver. It is never shown again.</p>
      {secret !== "" && <Copyable label="New secret" text={secret} />}
    </>
  );
  return (
    <FormDialog
      button={webhook.signed ? "Change the secret" : "Sign with a secret"}
      title={`${webhook.signed ? "New secret" : "Secret"} of «${webhook.name}»`}
      onOpen={() => setSecret(newSecret())}
      onSubmit={rotate}
      submit="Use this secret"
      intro={intro}
    >
      <TextField label="Secret" type="password" pointer="/secret" value={secret} onChange={setSecret} help="This one was made here, at random. Another one needs at least 16 characters." />
      {webhook.signed && <Select label="Sign with the secret before too?" pointer="/previousValidHours" value={hours} onChange={setHours} options={HOURS} help="So that the receiver can change its copy in between." />}
    </FormDialog>
  );
}

/** A key by the rules of Standard Webhooks. */
function newSecret(): string {
  const key = crypto.getRandomValues(new Uint8Array(24));
  return `whsec_${btoa(String.fromCharCode(...key))}`;
}
