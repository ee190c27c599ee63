import { addMonths, differenceInCalendarDays, eachDayOfInterval, format, formatDistance, intlFormat, parse, parseISO } from "date-fns";
import { de } from "date-fns/locale";

export const handler = async () => {
  const from = parseISO("2024-01-31T12:00:00Z"), to = addMonths(from, 1);
  return {
    to, days: differenceInCalendarDays(to, from), text: format(to, "EEEE, do MMMM yyyy", { locale: de }),
    distance: formatDistance(to, from), parsed: parse("02/11/2024", "MM/dd/yyyy", new Date(0)),
    week: eachDayOfInterval({ start: from, end: addMonths(from, 1) }).length,
    intl: intlFormat(to, { weekday: "long", month: "long", day: "numeric", year: "numeric" }, { locale: "en-US" }),
  };
};
