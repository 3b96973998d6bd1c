/** A schedule as people think of it, and as cron has it. */
import type { Schema } from "../../api/client";

export type Every = "never" | "hour" | "day" | "week" | "custom";
/** When something happens again. */
export type Times = { every: Every; time: string; weekday: string; cron: string };
export type Rhythm = Times & {
  /** When everything is read besides. */
  full: Times;
  timezone: string;
  mode: Schema<"ScheduleMode">;
  enabled: boolean;
  retryAttempts: string;
  retryMinutes: string;
};

export const WEEKDAYS: [string, string][] = [
  ["1", "Monday"],
  ["2", "Tuesday"],
  ["3", "Wednesday"],
  ["4", "Thursday"],
  ["5", "Friday"],
  ["6", "Saturday"],
  ["0", "Sunday"],
];
const SHORT = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const ownTimezone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const two = (text: string | undefined) => (text ?? "0").padStart(2, "0");

function timesOf(cron: string | null | undefined, unset: Times): Times {
  if (!cron) return unset;
  const times = { ...unset, cron };
  const daily = /^(\d{1,2}) (\d{1,2}) \* \* (\*|[0-6]|[A-Za-z]{3})$/.exec(cron);
  if (daily) {
    const [, minute, hour, on = "*"] = daily;
    const named = SHORT.indexOf(on.toUpperCase());
    const weekday = named >= 0 ? String(named) : on;
    return { ...times, every: weekday === "*" ? "day" : "week", time: `${two(hour)}:${two(minute)}`, weekday: weekday === "*" ? "1" : weekday };
  }
  const hourly = /^(\d{1,2}) \* \* \* \*$/.exec(cron);
  if (hourly) return { ...times, every: "hour", time: `00:${two(hourly[1])}` };
  return { ...times, every: "custom" };
}

export function rhythmOf(schedule: Schema<"ScheduleResponse"> | null): Rhythm {
  return {
    ...timesOf(schedule?.cron, { every: "never", time: "06:30", weekday: "1", cron: "30 6 * * *" }),
    full: timesOf(schedule?.fullCron, { every: "never", time: "03:00", weekday: "0", cron: "0 3 * * SUN" }),
    timezone: schedule?.timezone ?? ownTimezone(),
    mode: schedule?.mode ?? "incremental",
    // A schedule that is paused is switched on: it goes on when it is resumed.
    enabled: schedule === null || schedule.enabled || schedule.pausedReason !== null,
    retryAttempts: String(schedule?.retry.attempts ?? 0),
    retryMinutes: String(schedule?.retry.afterMinutes ?? 15),
  };
}

function cronOf({ every, time, weekday, cron }: Times): string | null {
  const [hour = 0, minute = 0] = time.split(":").map(Number);
  const crons: Record<Every, string | null> = {
    never: null,
    hour: `${minute} * * * *`,
    day: `${minute} ${hour} * * *`,
    week: `${minute} ${hour} * * ${weekday}`,
    custom: cron.trim(),
  };
  return crons[every];
}

export function scheduleOf(rhythm: Rhythm): Schema<"JobSchedule"> | null {
  const cron = cronOf(rhythm);
  if (cron === null) return null;
  const { timezone, mode, enabled } = rhythm;
  const retry = { attempts: Number(rhythm.retryAttempts), afterMinutes: Number(rhythm.retryMinutes) };
  return { cron, timezone, mode, enabled, fullCron: cronOf(rhythm.full), retry };
}

/** «Every Monday at 06:30». */
export function inWords(cron: string): string {
  const { every, time, weekday } = timesOf(cron, { every: "custom", time: "", weekday: "", cron });
  if (every === "hour") return `Every hour, ${Number(time.slice(3))} minutes past`;
  if (every === "day") return `Every day at ${time}`;
  if (every === "week") return `Every ${WEEKDAYS.find(([day]) => day === weekday)?.[1] ?? "week"} at ${time}`;
  return cron;
}
