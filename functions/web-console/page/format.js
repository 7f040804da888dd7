// Numbers and times as people read them. Counts and offsets come as texts and are never made into numbers to be shown.

const DIGIT_GROUP = "\u202f";

/** A count: its digits in groups of three. */
export function count(text) {
  if (text === null || text === undefined) return "not known";
  return String(text).replace(/\B(?=(\d{3})+(?!\d))/g, DIGIT_GROUP);
}

/** A size in bytes. */
export function bytes(text) {
  if (text === null || text === undefined) return "not known";
  const size = Number(text);
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const power = size < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(size) / 10));
  const scaled = size / 1024 ** power;
  return `${power === 0 ? Math.round(scaled) : scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0)} ${units[power]}`;
}

/** A length of time. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "not known";
  if (seconds === "never") return "never";
  const s = Math.max(0, seconds);
  if (s < 1) return "under 1 s";
  if (s < 120) return `${Math.floor(s)} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} days`;
}

/** How long ago a time was. */
export function ago(at, now) {
  if (at === null || at === undefined) return "never";
  const seconds = (now - at) / 1000;
  return seconds < 1 ? "just now" : `${duration(seconds)} ago`;
}

/** A ratio from 0 to 1 in per cent. Only what is complete shows 100. */
export function percent(ratio) {
  if (ratio === null || ratio === undefined) return "not known";
  if (ratio >= 1) return "100 %";
  return `${(Math.floor(ratio * 1000) / 10).toFixed(1)} %`;
}

/** A rate. */
export function rate(perSecond, unit) {
  if (perSecond === null || perSecond === undefined) return "not known";
  const shown = perSecond >= 100 ? count(Math.round(perSecond)) : perSecond.toFixed(perSecond >= 10 ? 0 : 1);
  return `${shown} ${unit}/s`;
}

/** A moment in this browser's time zone. */
export function moment(at) {
  return at === null || at === undefined ? "never" : new Date(at).toLocaleString();
}

/** One thing or several. */
export function plural(number, one, several = `${one}s`) {
  return `${count(number)} ${Number(number) === 1 ? one : several}`;
}

/** What somebody else wrote, as a sentence: with a capital, and a full stop. */
export function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

/** A moment to the minute, without its year. */
export function minute(at) {
  return new Date(at).toLocaleString(undefined, { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
}
