// Clocks that stand still while code runs, for nodes that ask for them: every way to the time of
// day shows what the node last set (`clock.rs`). Evaluated in the base snapshot of such nodes only.
(function () {
const { core, primordials } = __bootstrap;
const {
  DatePrototypeToString,
  ObjectDefineProperty,
  ReflectApply,
  ReflectConstruct,
  ReflectGetOwnPropertyDescriptor,
  SafeWeakMap,
  WeakMapPrototypeGet,
  WeakMapPrototypeSet,
} = primordials;
const { op_isle_date } = core.ops;
const RealDate = globalThis.Date;
const now = () => op_isle_date();

const hidden = (value) => ({ __proto__: null, value, writable: true, enumerable: false, configurable: true });
const FrozenDate = function Date(year, month, date, hours, minutes, seconds, ms) {
  void [year, month, date, hours, minutes, seconds, ms]; // its length is 7
  if (new.target === undefined) return DatePrototypeToString(new RealDate(now()));
  return ReflectConstruct(RealDate, arguments.length === 0 ? [now()] : arguments, new.target);
};
ObjectDefineProperty(FrozenDate, "prototype", { __proto__: null, value: RealDate.prototype, writable: false });
ObjectDefineProperty(RealDate.prototype, "constructor", hidden(FrozenDate));
ObjectDefineProperty(FrozenDate, "now", hidden({ now: () => op_isle_date() }.now));
for (const name of ["parse", "UTC"]) ObjectDefineProperty(FrozenDate, name, hidden(RealDate[name]));
ObjectDefineProperty(globalThis, "Date", hidden(FrozenDate));

// What V8 makes anew in each isolate. Once for each, before any code of a tenant.
function restored(Temporal, Intl) {
  if (Temporal !== undefined) {
    const { Now } = Temporal;
    const { Instant } = Temporal;
    const fromEpoch = Instant.fromEpochMilliseconds;
    const { toZonedDateTimeISO } = Instant.prototype;
    const { toPlainDateTime, toPlainDate, toPlainTime } = Temporal.ZonedDateTime.prototype;
    const { timeZoneId } = Now;
    const instant = () => ReflectApply(fromEpoch, Instant, [now()]);
    const zoned = (zone) =>
      ReflectApply(toZonedDateTimeISO, instant(), [zone === undefined ? ReflectApply(timeZoneId, Now, []) : zone]);
    const members = {
      instant() {
        return instant();
      },
      zonedDateTimeISO(zone = undefined) {
        return zoned(zone);
      },
      plainDateTimeISO(zone = undefined) {
        return ReflectApply(toPlainDateTime, zoned(zone), []);
      },
      plainDateISO(zone = undefined) {
        return ReflectApply(toPlainDate, zoned(zone), []);
      },
      plainTimeISO(zone = undefined) {
        return ReflectApply(toPlainTime, zoned(zone), []);
      },
    };
    for (const name in members) ObjectDefineProperty(Now, name, hidden(members[name]));
  }
  if (Intl?.DateTimeFormat !== undefined) {
    const { prototype } = Intl.DateTimeFormat;
    const format = ReflectGetOwnPropertyDescriptor(prototype, "format");
    const { formatToParts } = prototype;
    const bound = new SafeWeakMap();
    ObjectDefineProperty(prototype, "format", {
      __proto__: null,
      ...ReflectGetOwnPropertyDescriptor({
        get format() {
          const real = ReflectApply(format.get, this, []);
          let shown = WeakMapPrototypeGet(bound, real);
          if (shown === undefined) {
            shown = (date) => real(date === undefined ? now() : date);
            ObjectDefineProperty(shown, "name", { __proto__: null, value: "", configurable: true });
            WeakMapPrototypeSet(bound, real, shown);
          }
          return shown;
        },
      }, "format"),
      set: undefined,
      enumerable: false,
    });
    ObjectDefineProperty(prototype, "formatToParts", hidden({
      formatToParts(date) {
        return ReflectApply(formatToParts, this, [date === undefined ? now() : date]);
      },
    }.formatToParts));
  }
}

return { Date: FrozenDate, now, restored };
})();
