/** What a webhook was told: each delivery with its answer, its body, and a way to send it again. */
import { useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { Select } from "../../ui/form";
import { usePages } from "../../ui/pages";
import { Button, Failure, Loading, Lozenge, More, Table, type Tone } from "../../ui/parts";
import { Moment, plural } from "../../ui/time";
import { eventText } from "./events";

type Delivery = Schema<"WebhookDeliveryItem">;
type State = Schema<"DeliveryState">;

const STATES: Record<State, { text: string; tone: Tone }> = {
  pending: { text: "To be sent", tone: "neutral" },
  delivered: { text: "Delivered", tone: "success" },
  failed: { text: "Given up", tone: "danger" },
};

/** Loads again when `turn` changes. */
export function Deliveries({ webhook, turn }: { webhook: Schema<"WebhookResponse">; turn: number }) {
  const [state, setState] = useState<State | "">("");
  const deliveries = usePages(`deliveries ${webhook.id} ${webhook.version} ${state} ${turn}`, (cursor, signal) =>
    answer(api.GET("/v1/webhooks/{id}/deliveries", { params: { path: { id: webhook.id }, query: { state: state || undefined, limit: 10, cursor } }, signal })),
  );
  const { items } = deliveries;
  return (
    <div className="stack tight">
      <div className="row apart">
        <Select<State | ""> label={`Deliveries of ${webhook.name}`} value={state} onChange={setState} options={[["", "All"], ...Object.entries(STATES).map(([state, { text }]): [State, string] => [state as State, text])]} />
        <Button onClick={deliveries.reload} label={`Refresh the deliveries of ${webhook.name}`}>
          Refresh
        </Button>
      </div>
      {!items && !deliveries.error && <Loading />}
      {items?.length === 0 && <p className="subtle">{state === "" ? "It was told nothing yet." : "None."}</p>}
      {items && items.length > 0 && (
        <Table label={`Deliveries of ${webhook.name}`} head={["Event", "State", "When", "Answer", "Action"]}>
          {items.map((one) => (
            <DeliveryRow key={one.id} delivery={one} onSent={deliveries.reload} />
          ))}
        </Table>
      )}
      <Failure error={deliveries.error} />
      <More pages={deliveries}>Show earlier deliveries</More>
    </div>
  );
}

function DeliveryRow({ delivery, onSent }: { delivery: Delivery; onSent: () => void }) {
  const { id, webhookId, event, state, attempts, lastStatus, lastError, nextAttemptAt } = delivery;
  const resend = useAction(async () => {
    await answer(api.POST("/v1/webhooks/{id}/deliveries/{deliveryId}/resend", { params: { path: { id: webhookId, deliveryId: id } } }));
    onSent();
  });
  return (
    <tr>
      <td>
        {eventText(event)}
        <Body delivery={delivery} />
      </td>
      <td>
        <Lozenge tone={STATES[state].tone}>{STATES[state].text}</Lozenge>
        {attempts > 0 && <div className="small subtle">{plural(attempts, "attempt")}</div>}
      </td>
      <td>
        <Moment at={delivery.deliveredAt ?? delivery.failedAt ?? delivery.createdAt} />
        {nextAttemptAt && attempts > 0 && (
          <div className="small subtle">
            Next: <Moment at={nextAttemptAt} />
          </div>
        )}
      </td>
      <td className="break">
        {lastStatus ?? (lastError ? "" : "–")}
        {lastError && <div className="small">{lastError}</div>}
      </td>
      <td>
        <Button pending={resend.pending} onClick={() => void resend.run()}>
          Send again
        </Button>
        <Failure error={resend.error} />
      </td>
    </tr>
  );
}

/** What is sent; loaded when somebody wants to see it. */
function Body({ delivery: { id, webhookId, event } }: { delivery: Delivery }) {
  const [open, setOpen] = useState(false);
  const whole = useQuery(open ? `delivery ${id}` : null, (signal) =>
    answer(api.GET("/v1/webhooks/{id}/deliveries/{deliveryId}", { params: { path: { id: webhookId, deliveryId: id } }, signal })),
  );
  return (
    <details className="small" onToggle={(toggled) => setOpen(toggled.currentTarget.open)}>
      <summary>Body</summary>
      {whole.loading && <Loading />}
      <Failure error={whole.error} />
      {whole.data && (
        <pre className="code break wrapped" tabIndex={0} aria-label={`Body: ${eventText(event)}`}>{JSON.stringify(whole.data.body, null, 2)}</pre>
      )}
    </details>
  );
}
