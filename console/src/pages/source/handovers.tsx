/** Links for the administrator of Entra, who alone may register the application and see its secret. */
import { transport } from "#transport";
import { useState } from "react";
import { answer, api, idempotencyKey, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { Button, Card, Confirm, Copyable, Failure, Lozenge, Message, Table, type Tone } from "../../ui/parts";
import { Moment } from "../../ui/time";

type Handover = Schema<"HandoverResponse">;

export function Handovers({ connection }: { connection: Schema<"ConnectionResponse"> }) {
  const { id } = connection;
  const [link, setLink] = useState<string>();
  const handovers = useQuery(`handovers ${id}`, (signal) => answer(api.GET("/v1/handovers", { params: { query: { connectionId: id, limit: 20 } }, signal })));
  const create = useAction(async () => {
    const params = { path: { id }, header: { "Idempotency-Key": idempotencyKey() } };
    const created = await answer(api.POST("/v1/connections/{id}/handovers", { params }));
    setLink(created.url ? transport.base + created.url : undefined);
    handovers.reload();
  });
  const items = handovers.data?.items ?? [];
  return (
    <Card title="Ask your Entra administrator">
      <div className="stack">
        <p>Create a link and send it to the person who manages Entra. The page behind it shows the steps, takes the secret or certificate, and checks the connection. You never see the secret.</p>
        <p className="small subtle">The link works for seven days, for this connection only, and without a key.</p>
        <div>
          <Button kind={items.length === 0 ? "primary" : "default"} pending={create.pending} onClick={() => void create.run()}>
            Create a link
          </Button>
        </div>
        <Failure error={create.error ?? handovers.error} />
        {link && (
          <Message tone="success" live title="Copy the link now: it is shown only once">
            <Copyable label="Link for the administrator of Entra" text={link} />
          </Message>
        )}
        {items.length > 0 && (
          <Table label="Links" head={["Created", "State", "Action"]}>
            {items.map((one) => (
              <HandoverRow key={one.id} handover={one} onChanged={handovers.reload} />
            ))}
          </Table>
        )}
      </div>
    </Card>
  );
}

function stateOf(one: Handover): [text: string, tone: Tone] {
  if (one.revokedAt) return ["Revoked", "neutral"];
  if (Date.parse(one.expiresAt) < Date.now()) return ["Ended", "neutral"];
  return one.usedAt ? ["Credential entered", "success"] : ["Open", "information"];
}

function HandoverRow({ handover, onChanged }: { handover: Handover; onChanged: () => void }) {
  const [text, tone] = stateOf(handover);
  const revoke = useAction(async () => {
    await answer(api.DELETE("/v1/handovers/{id}", { params: { path: { id: handover.id } } }));
    onChanged();
  });
  return (
    <tr>
      <td>
        <Moment at={handover.createdAt} />
      </td>
      <td>
        <Lozenge tone={tone}>{text}</Lozenge>
      </td>
      <td>
        {tone === "neutral" ? (
          "–"
        ) : (
          <Confirm kind="danger" button="Revoke" title="Revoke the link?" confirm="Revoke" onConfirm={revoke.run} pending={revoke.pending} error={revoke.error}>
            <p>It stops working at once. A credential that was entered through it stays.</p>
          </Confirm>
        )}
      </td>
    </tr>
  );
}
