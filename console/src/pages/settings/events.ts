/** What webhooks are told of, in words. */
import type { Schema } from "../../api/client";

/** Every event has a text: the compiler finds one that is missing. */
export const EVENT_TEXTS: Record<Schema<"WebhookEvent">, string> = {
  "run.started": "A run started",
  succeeded: "A run succeeded",
  degraded: "A run succeeded in part",
  failed: "A run failed",
  cancelled: "A run was cancelled",
  awaitingApproval: "A run waits for approval",
  "connection.check_failed": "The check of a connection failed",
  "credential.expiring": "A secret or certificate expires soon",
  "schedule.paused": "The schedule of an import was paused",
  "destination.observed": "Assets treats missing objects in another way than expected",
  "user.joined": "Users are new, or came back",
  "user.left": "Users were deleted or left the scope",
  "user.moved": "Users have another department, manager or company",
  "license.exhausted": "No unit of a licence is left",
  "group.created": "Groups are new, or came back",
  "group.deleted": "Groups were deleted or left the scope",
};

/** Of a delivery: an event, or a test. */
export const eventText = (event: string) => (EVENT_TEXTS as Record<string, string>)[event] ?? (event === "test" ? "A test" : event);
